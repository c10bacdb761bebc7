//! What the disk says of one instance, so that the next keeper knows it.
//!
//! ```text
//! intent  { process: null }             written before the fork
//! running { process: {pid, ...} }       written before the program runs
//! exited  { exit: {status, ...} }       written before the exit is reported
//! ```
//!
//! A record is replaced whole, by a rename. It is not synced: it matters only as long as the machine is up, since no
//! process outlives its boot. The environment is not in it, for there are secrets in environments.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use adsum_model::{InstanceId, Process};
use serde::{Deserialize, Serialize};

use super::home::{self, Home};
use crate::{ExitStatus, Rotation, Start};

const FORMAT: u32 = 1;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    format: u32,
    pub(crate) id: InstanceId,
    pub(crate) boot_id: String,
    pub(crate) log: PathBuf,
    #[serde(default)]
    pub(crate) rotation: Rotation,
    pub(crate) process: Option<Process>,
    /// The control group of the instance, when it has one.
    #[serde(default)]
    pub(crate) cgroup: Option<PathBuf>,
    /// Those that it has beside it for its limits.
    #[serde(default)]
    pub(crate) limited_in: Vec<PathBuf>,
    /// When a stop turns into SIGKILL, on the monotonic clock.
    #[serde(default)]
    pub(crate) kill_at: Option<u64>,
    #[serde(default)]
    pub(crate) exit: Option<Exit>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Exit {
    pub(crate) status: ExitStatus,
    pub(crate) at_unix_ms: u64,
    pub(crate) oom: Option<bool>,
}

/// A file among the records.
pub(crate) enum Found {
    Record(Record),
    /// Not a record of ours that can be read, though its name is that of one.
    Damaged {
        id: InstanceId,
        problem: String,
    },
}

impl Record {
    pub(crate) fn intent(start: &Start, boot_id: &str) -> Record {
        Record {
            format: FORMAT,
            id: start.id.clone(),
            boot_id: boot_id.to_string(),
            log: start.log.clone(),
            rotation: start.rotation,
            process: None,
            cgroup: None,
            limited_in: Vec::new(),
            kill_at: None,
            exit: None,
        }
    }

    pub(crate) fn write(&self, home: &Home) -> io::Result<()> {
        let path = home.record(&self.id);
        let draft = path.with_extension("json.new");
        fs::write(&draft, serde_json::to_vec_pretty(self)?)?;
        fs::rename(draft, path)
    }

    /// Every record of `home`.
    pub(crate) fn all(home: &Home) -> io::Result<Vec<Found>> {
        let entries = fs::read_dir(home.instances())?.collect::<io::Result<Vec<_>>>()?;
        Ok(entries.iter().filter_map(|entry| Record::read(&entry.path())).collect())
    }

    fn read(path: &Path) -> Option<Found> {
        if path.extension()? != "json" {
            return None;
        }
        let id: InstanceId = path.file_stem()?.to_str()?.parse().ok()?;
        let parsed =
            fs::read(path).map_err(|error| error.to_string()).and_then(|bytes| Record::parse(&bytes));
        Some(match parsed {
            Ok(record) => Found::Record(record),
            Err(problem) => Found::Damaged { id, problem },
        })
    }

    fn parse(bytes: &[u8]) -> Result<Record, String> {
        let record: Record = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if record.format != FORMAT {
            return Err(format!("format {}; this program reads {FORMAT}", record.format));
        }
        Ok(record)
    }

    /// Removes everything of the instance but its logs.
    pub(crate) fn remove(home: &Home, id: &InstanceId) -> io::Result<()> {
        home::remove(&home.pipe(id))?;
        home::remove(&home.record(id))
    }
}
