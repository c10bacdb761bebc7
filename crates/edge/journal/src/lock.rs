//! One process per data directory: an flock on the file `LOCK`, held for life. The process id in it is for the message
//! only; the file stays when the process goes, and says nothing by being there.

use std::{
    fs, io,
    io::{Read, Write},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use crate::{directory::Directory, error::OpenError};

/// The file that is locked.
const NAME: &str = "LOCK";

/// Holds the directory until it is dropped.
pub(crate) struct Lock {
    _file: Flock<fs::File>,
}

impl Lock {
    pub(crate) fn take(dir: &Path) -> Result<Lock, OpenError> {
        let refused = |source| OpenError::Directory { dir: dir.to_owned(), source };
        let file = Directory::options().create(true).truncate(false).open(dir.join(NAME)).map_err(refused)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                // For the message of a second start only: a full disk is no reason to refuse the first.
                let _ = write_pid(&mut file);
                Ok(Lock { _file: file })
            }
            Err((file, Errno::EWOULDBLOCK)) => {
                Err(OpenError::InUse { dir: dir.to_owned(), pid: read_pid(&file) })
            }
            Err((_, errno)) => Err(OpenError::Unlockable { dir: dir.to_owned(), source: errno.into() }),
        }
    }
}

fn write_pid(file: &mut fs::File) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes())
}

fn read_pid(mut file: &fs::File) -> String {
    let mut text = String::new();
    // The holder may be between taking the lock and writing: then nobody knows its number yet.
    let _ = file.read_to_string(&mut text);
    match text.trim() {
        "" => "unknown".to_owned(),
        pid => pid.to_owned(),
    }
}
