//! A directory that is this process's own and has not been read yet: what must not be done beside another process, and
//! cannot wait until everything has been read, is done in between.

use std::{path::Path, sync::Arc};

use crate::{
    directory::Directory,
    disk::Disk,
    error::OpenError,
    header::Kind,
    journal::{Journal, open_on},
    lock::Lock,
    name::{self, Name},
    options::{ClusterId, Options},
    points,
    recovery::Recovered,
    scan::Scan,
};

/// Locked until it is dropped, or for life once it has been [opened](Locked::open).
pub struct Locked {
    disk: Directory,
    lock: Lock,
}

/// Makes the directory when it is not there, and locks it. Nothing in it is read.
pub fn lock(dir: &Path) -> Result<Locked, OpenError> {
    let refused = |source| OpenError::Directory { dir: dir.to_owned(), source };
    let disk = Directory::open(dir).map_err(refused)?;
    let lock = Lock::take(dir)?;
    Ok(Locked { disk, lock })
}

impl Locked {
    /// The cluster that the newest file belongs to. None of a new directory, nor of one that cannot be read: what is
    /// wrong with it is told by [`Locked::open`].
    #[must_use]
    pub fn cluster(&self) -> Option<ClusterId> {
        let names = self.disk.list().ok()?;
        let newest = names.iter().filter_map(|name| match Name::parse(name)? {
            Name::Segment(first) => Some((true, first)),
            Name::Snapshot(revision) => Some((false, revision)),
            Name::Temporary => None,
        });
        // A segment rather than a snapshot: it is the younger one.
        let (name, kind) = match newest.max()? {
            (true, first) => (name::segment(first), Kind::Segment),
            (false, revision) => (name::snapshot(revision), Kind::Snapshot),
        };
        Some(Scan::open(&self.disk, &name, kind).ok()?.header().cluster)
    }

    /// As [`open`](crate::open), for the directory that is locked: that of the options does not count.
    pub fn open(self, options: Options) -> Result<(Journal, Recovered), OpenError> {
        let segment_bytes = points::size("ADSUM_SEGMENT_BYTES", options.segment_bytes);
        open_on(Arc::new(self.disk), Some(self.lock), Options { segment_bytes, ..options })
    }
}
