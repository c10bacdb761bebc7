//! What the directory holds: which segments, and the newest snapshot. Shared by the writer, who begins segments, and
//! by the writing of snapshots, which lets segments go.

use std::{io, path::PathBuf};

use parking_lot::Mutex;

use crate::{
    disk::{Disk, failure},
    error::IoError,
    name, points,
};

/// A snapshot on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// The revision whose state it is.
    pub revision: u64,
    /// Its file.
    pub file: PathBuf,
    /// How long the file is.
    pub bytes: u64,
}

#[derive(Default)]
pub(crate) struct Kept {
    /// The first revisions of the segments, oldest first. The last one is being written.
    pub(crate) segments: Vec<u64>,
    pub(crate) snapshot: Option<SnapshotInfo>,
}

impl Kept {
    /// 0 without a snapshot.
    pub(crate) fn snapshot_revision(&self) -> u64 {
        self.snapshot.as_ref().map_or(0, |snapshot| snapshot.revision)
    }

    /// The segments with no record above `revision`, oldest first. Never the one being written.
    pub(crate) fn covered(&self, revision: u64) -> Vec<u64> {
        covered(&self.segments, revision).to_vec()
    }
}

/// The part of `segments` with no record above `revision`: of those whose successor begins at or before the revision
/// that comes next.
pub(crate) fn covered(segments: &[u64], revision: u64) -> &[u64] {
    let needed_from = segments.partition_point(|first| *first <= revision.saturating_add(1));
    &segments[..needed_from.saturating_sub(1)]
}

/// Removes the segments that a verified snapshot of `revision` makes superfluous, the oldest first.
pub(crate) fn remove_covered(disk: &dyn Disk, kept: &Mutex<Kept>, revision: u64) -> Result<(), IoError> {
    let covered = kept.lock().covered(revision);
    for first in covered {
        remove(disk, &name::segment(first))?;
        kept.lock().segments.retain(|kept| *kept != first);
    }
    Ok(())
}

/// A file that is not there has been removed by somebody else.
pub(crate) fn remove(disk: &dyn Disk, name: &str) -> Result<(), IoError> {
    points::reach_with(name, "before-removal");
    match disk.remove(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed.map_err(|error| failure(disk, name, "removing", error))?,
    }
    points::reach_with(name, "after-removal");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_covered_when_its_successor_begins_right_behind_the_revision() {
        let segments = [1, 5, 9];
        for (revision, expect) in [(0, 0), (3, 0), (4, 1), (5, 1), (8, 2), (u64::MAX, 2)] {
            assert_eq!(covered(&segments, revision).len(), expect, "revision {revision}");
        }
        assert!(covered(&[], 7).is_empty());
    }
}
