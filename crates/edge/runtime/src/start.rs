//! What is to be started, and why it could not be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adsum_model::{Controller, InstanceId, Limits, Ulimits};
use serde::{Deserialize, Serialize};

/// One process to start.
///
/// It gets `PATH`, `HOME`, `LANG`, `TZ` and `USER` of the keeper, over them `env`, over them `ADSUM_INSTANCE` and
/// `ADSUM_CLUSTER`, and nothing else; `HOME` and `USER` are those of its `user`. Its standard input is `/dev/null`; its
/// output goes to `log`. It gains no privileges by what it executes (`PR_SET_NO_NEW_PRIVS`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    pub id: InstanceId,
    /// Program and arguments. A program without a slash is looked up in the child's `PATH`; with one, it is taken
    /// from `workdir` on.
    pub command: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub workdir: PathBuf,
    /// Absolute. Its directory is made when it is missing.
    pub log: PathBuf,
    #[serde(default)]
    pub rotation: Rotation,
    /// `UID|NAME[:GID|GROUP]`; the keeper's own when none. Only root may start somebody else's.
    #[serde(default)]
    pub user: Option<String>,
    /// Given to the user, when one is named. It has to be there.
    #[serde(default)]
    pub data_dir: Option<PathBuf>,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub ulimits: Ulimits,
}

/// How large a log may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// A log of this many bytes begins anew; it may exceed it by one line of 16 KiB.
    pub max_bytes: u64,
    /// How many older logs are kept, as `.1` (the youngest) and so on.
    pub keep: u32,
}

/// Why a process was not started. Nothing of it runs then, but for `Keeper`, where that is not known; asking again is
/// safe in every case.
#[derive(Clone, Debug, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum StartError {
    #[error("the command is empty: name a program")]
    EmptyCommand,
    #[error("program '{program}' was not found in PATH ({path})")]
    NotInPath { program: String, path: String },
    #[error("program '{program}' does not exist{}", if_elsewhere(program, looked_at))]
    NoProgram { program: String, looked_at: PathBuf },
    #[error("program '{program}' cannot be executed: {problem}")]
    NotExecutable { program: String, problem: String },
    #[error("program '{program}' cannot start in '{}': no such directory", workdir.display())]
    NoWorkdir { program: String, workdir: PathBuf },
    #[error("{what} of program '{program}' cannot be passed on: {problem}")]
    Invalid { program: String, what: String, problem: String },
    #[error("program '{program}' cannot be started as user '{user}': {problem}")]
    NoUser { program: String, user: String, problem: String },
    #[error(
        "program '{program}' was not started, since its limit on {controller} cannot be kept: {problem}; run the agent as root, \
         or in a systemd unit with Delegate=yes and DelegateSubgroup=agent, or leave the limit out"
    )]
    Limit { program: String, controller: Controller, problem: String },
    #[error("the log '{}' cannot be written: {problem}", log.display())]
    Log { log: PathBuf, problem: String },
    #[error("the start of '{program}' cannot be put on record, and so it was not started: {problem}")]
    Record { program: String, problem: String },
    #[error("program '{program}' cannot be started: {problem}")]
    Spawn { program: String, problem: String },
    #[error("the keeper is shutting down")]
    Closing,
    #[serde(skip)]
    #[error(transparent)]
    Keeper(#[from] crate::Error),
}

/// A path that was given whole is not said twice.
fn if_elsewhere(program: &str, looked_at: &Path) -> String {
    if looked_at == Path::new(program) { String::new() } else { format!(" ({})", looked_at.display()) }
}

impl Default for Rotation {
    /// 10 MiB and one older file.
    fn default() -> Rotation {
        Rotation { max_bytes: 10 * 1024 * 1024, keep: 1 }
    }
}
