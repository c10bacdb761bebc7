//! The keeper's directory, and what identifies the keeper's world: the cluster and the boot.
//!
//! ```text
//! DIR/keeper.sock  keeper.lock  starting.lock  keeper.log
//! DIR/instances/ID.json   the record     DIR/instances/ID.out   the pipe of its output, while it runs
//! ```

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use adsum_model::InstanceId;

use crate::proc;

pub(crate) struct Home {
    pub(crate) dir: PathBuf,
    pub(crate) cluster: String,
    pub(crate) boot_id: String,
}

impl Home {
    pub(crate) fn open(dir: &Path, cluster: &str) -> io::Result<Home> {
        make_private(dir)?;
        make_private(&dir.join("instances"))?;
        let dir = dir.canonicalize()?;
        Ok(Home { dir, cluster: cluster.to_string(), boot_id: proc::boot_id()? })
    }

    pub(crate) fn instances(&self) -> PathBuf {
        self.dir.join("instances")
    }

    pub(crate) fn record(&self, id: &InstanceId) -> PathBuf {
        self.instances().join(format!("{id}.json"))
    }

    pub(crate) fn pipe(&self, id: &InstanceId) -> PathBuf {
        self.instances().join(format!("{id}.out"))
    }

    /// What every process of an instance carries in its environment, unless it has changed that.
    pub(crate) fn marks(&self, id: &InstanceId) -> Vec<String> {
        vec![format!("ADSUM_INSTANCE={id}"), format!("ADSUM_CLUSTER={}", self.cluster)]
    }
}

/// Makes the directory, for its owner only.
pub(crate) fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    if fs::metadata(dir)?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// A file to hold a lock on, or to append to, for its owner only.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(path)
}

/// Removes a file that may be gone already.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
