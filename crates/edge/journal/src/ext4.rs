//! What a sync of ext4 leaves open.
//!
//! An ext4 that meets an error gives up its log first, then writes its superblock, and refuses writes only after that. A
//! sync in between writes its data, cannot turn the preallocated blocks below into written ones, which read as zeros then,
//! and says done: measured 11 of 177 times on a busy disk. Whatever begins a transaction is refused as soon as the log is given
//! up. To replace an attribute that is not there begins one, changes nothing and takes 20 us, so it is done only when the
//! sync was the first of a block: blocks once written need no transaction any more.

use std::{cell::Cell, fs, io, os::unix::fs::MetadataExt};

/// A file on ext4, written from front to back.
pub(crate) struct Ext4 {
    block: u64,
    /// The furthest write's end. Bytes.
    written: Cell<u64>,
    /// How many blocks are known to be written ones.
    confirmed: Cell<u64>,
}

impl Ext4 {
    /// None where the file is on another filesystem.
    pub(crate) fn of(file: &fs::File) -> io::Result<Option<Ext4>> {
        if !is_ext4(file)? {
            return Ok(None);
        }
        let block = file.metadata()?.blksize().max(1);
        Ok(Some(Ext4 { block, written: Cell::new(0), confirmed: Cell::new(0) }))
    }

    /// What was reserved begins where it likes, and what is written there needs the file's new length.
    pub(crate) fn reserved(&self) {
        self.confirmed.set(0);
    }

    pub(crate) fn wrote_to(&self, end: u64) {
        self.written.set(self.written.get().max(end));
    }

    /// To be asked after a sync that said done.
    pub(crate) fn confirm(&self, file: &fs::File) -> io::Result<()> {
        let begun = self.written.get().div_ceil(self.block);
        if begun > self.confirmed.get() {
            self.confirm_all(file)?;
            self.confirmed.set(begun);
        }
        Ok(())
    }

    /// The same for a file that others have written.
    pub(crate) fn confirm_all(&self, file: &fs::File) -> io::Result<()> {
        begin_transaction(file)
    }
}

#[cfg(target_os = "linux")]
fn is_ext4(file: &fs::File) -> io::Result<bool> {
    const EXT4: u64 = 0xEF53;
    let kind = rustix::fs::fstatfs(file)?.f_type;
    Ok(u64::try_from(kind) == Ok(EXT4))
}

#[cfg(target_os = "linux")]
fn begin_transaction(file: &fs::File) -> io::Result<()> {
    use rustix::{fs::XattrFlags, io::Errno};
    match rustix::fs::fsetxattr(file, c"user.adsum", &[], XattrFlags::REPLACE) {
        // As it should be.
        Ok(()) | Err(Errno::NODATA) => Ok(()),
        // Mounted without attributes, or not ours any more since we have opened it, which no write minds: nothing can be asked.
        Err(Errno::OPNOTSUPP | Errno::ACCESS | Errno::PERM | Errno::NOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn is_ext4(_: &fs::File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(not(target_os = "linux"))]
fn begin_transaction(_: &fs::File) -> io::Result<()> {
    Ok(())
}
