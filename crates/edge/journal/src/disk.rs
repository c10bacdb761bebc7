//! The seam to the filesystem: the few things that the journal asks of one directory.
//!
//! `Directory` is the real thing; `FaultyDisk` is its twin for tests, which can lose power. Names are plain file
//! names inside the directory. What was written is sure to survive only after `File::sync`, and a name only after
//! `Disk::sync_dir`.

use std::{io, path::PathBuf};

use crate::{error::IoError, points};

/// One directory.
pub(crate) trait Disk: Send + Sync {
    /// Where `name` is, for messages.
    fn path(&self, name: &str) -> PathBuf;
    /// The names of all files, in no order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes an empty file; one that is there is emptied.
    fn create(&self, name: &str) -> io::Result<Box<dyn File>>;
    /// Opens a file, having brought it to disk first and dropped what was cached of it: what is read from it then
    /// is what a power cut would leave.
    fn open(&self, name: &str) -> io::Result<Box<dyn File>>;
    /// Gives a file another name; one that had it is gone.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes all creates, renames and removes durable.
    fn sync_dir(&self) -> io::Result<()>;
}

/// One open file.
pub(crate) trait File: Send {
    fn len(&self) -> io::Result<u64>;
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes`, or fails after a part of them.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the file at least `len` long, with zeros on reserved blocks, so that later writes find their room and later
    /// syncs are cheaper. After an error the file may be longer than before, by any part of it.
    fn preallocate(&self, len: u64) -> io::Result<()>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes the content and the length durable.
    fn sync(&self) -> io::Result<()>;

    /// Fills `buffer` from `offset` on; a file that ends before that is an error.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < buffer.len() {
            match self.read_at(&mut buffer[done..], offset + done as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => done += read,
            }
        }
        Ok(())
    }
}

/// What half-written files are called. Recovery removes them.
pub(crate) const TEMPORARY: &str = ".tmp";

/// Makes a file that is there whole or not at all: written under a temporary name, synced, renamed, the directory synced.
pub(crate) fn publish(
    disk: &dyn Disk,
    name: &str,
    fill: impl FnOnce(&dyn File) -> io::Result<()>,
) -> Result<Box<dyn File>, IoError> {
    let temporary = format!("{name}{TEMPORARY}");
    let written = (|| {
        points::reach_with(name, "before-write");
        let file = disk.create(&temporary)?;
        fill(&*file)?;
        points::reach_with(name, "after-write");
        file.sync()?;
        Ok(file)
    })();
    let named = written.map_err(|source| failure(disk, &temporary, "writing", source)).and_then(|file| {
        points::reach_with(name, "before-rename");
        disk.rename(&temporary, name).map_err(|source| failure(disk, name, "naming", source))?;
        points::reach_with(name, "after-rename");
        Ok(file)
    });
    let file = named.inspect_err(|_| {
        // It has never had its name, so that whether this succeeds matters to nobody but the disk's space.
        let _ = disk.remove(&temporary);
    })?;
    disk.sync_dir().map_err(|source| failure(disk, "", "syncing the directory", source))?;
    points::reach_with(name, "after-directory-sync");
    Ok(file)
}

/// Whether there is no room: nothing is wrong with what was written before, and there may be room later.
pub(crate) fn is_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Tells where an error happened.
pub(crate) fn failure(disk: &dyn Disk, name: &str, doing: &'static str, source: io::Error) -> IoError {
    IoError { doing, file: disk.path(name), source }
}
