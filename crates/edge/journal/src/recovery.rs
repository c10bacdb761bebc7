//! From the files of a directory to the state before the last end, clean or not.
//!
//! What can be told without reading everything is checked here: that the files belong together, that none is missing,
//! and where the newest segment ends (`tail`). The rest is checked by the readers while they read. Everything is synced
//! before it is read, the directory included, so that nothing is built on what a power cut would take away.

use std::{path::PathBuf, sync::Arc};

use parking_lot::Mutex;

use crate::{
    disk::{Disk, failure},
    error::OpenError,
    header::{FORMAT, Header, Kind},
    kept::{self, Kept, SnapshotInfo},
    log::Log,
    name::{self, Name},
    options::{ClusterId, Options},
    records::RecordReader,
    scan::Scan,
    snapshot::SnapshotReader,
    tail,
};

/// What a directory held when it was opened.
pub struct Recovered {
    /// The directory's cluster: the one given when it is new.
    pub cluster: ClusterId,
    /// The last revision in the snapshot or the records, 0 when there is none. The next record is above it.
    pub revision: u64,
    /// The newest snapshot.
    pub snapshot: Option<SnapshotReader>,
    /// What came after it.
    pub records: RecordReader,
    /// What was cut, when the last end was not clean.
    pub torn: Option<TornTail>,
    /// Whether the last record is followed by the mark that a journal leaves when it is closed: then it is the last one
    /// that was appended at all. A process that has appended nothing changes nothing about this. A new directory is
    /// clean; one that holds a snapshot and no record since is not.
    pub clean: bool,
}

/// The torn end of the newest segment: a write that was interrupted, none of it acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub file: PathBuf,
    /// Where it was cut, in bytes from its beginning.
    pub offset: u64,
    /// How many bytes were cut, preallocated zeros not counted.
    pub bytes: u64,
    /// The file that holds them now.
    pub kept_as: PathBuf,
}

pub(crate) fn recover(disk: Arc<dyn Disk>, options: &Options) -> Result<(Log, Recovered), OpenError> {
    let found = Inventory::take(&*disk).map_err(|error| failure(&*disk, "", "listing", error))?;
    if found.is_empty() {
        return begin(disk, options);
    }
    let snapshot =
        found.snapshots.last().map(|revision| SnapshotReader::open(&*disk, *revision)).transpose()?;
    let after = snapshot.as_ref().map_or(0, SnapshotReader::revision);
    let needed = &found.segments[kept::covered(&found.segments, after).len()..];
    let mut newest = Chain { disk: &*disk, snapshot: snapshot.as_ref(), newest: None }.walk(needed)?;

    let name = name::segment(newest.header().first);
    let (clean, torn) = tail::settle(&*disk, &name, &mut newest)?;
    let kept = Kept {
        snapshot: snapshot.as_ref().map(|snapshot| info(&*disk, snapshot)),
        segments: found.segments.clone(),
    };
    let records = RecordReader {
        disk: disk.clone(),
        segments: needed.iter().copied().collect(),
        end: newest.offset(),
        after,
        scan: None,
        chain: None,
    };
    let log = resume(disk, kept, options.segment_bytes, newest, clean, torn.is_some());
    let cluster = log.header.cluster;
    let revision = log.last.max(after);
    Ok((log, Recovered { cluster, revision, snapshot, records, torn, clean }))
}

/// The files of the journal by their names.
#[derive(Default)]
struct Inventory {
    /// Oldest first.
    segments: Vec<u64>,
    /// Oldest first.
    snapshots: Vec<u64>,
}

impl Inventory {
    /// Removes what was not finished, and makes the rest of the directory durable.
    fn take(disk: &dyn Disk) -> std::io::Result<Inventory> {
        let mut found = Inventory::default();
        for name in disk.list()? {
            match Name::parse(&name) {
                Some(Name::Segment(first)) => found.segments.push(first),
                Some(Name::Snapshot(revision)) => found.snapshots.push(revision),
                Some(Name::Temporary) => disk.remove(&name)?,
                None => {}
            }
        }
        disk.sync_dir()?;
        found.segments.sort_unstable();
        found.snapshots.sort_unstable();
        Ok(found)
    }

    fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.snapshots.is_empty()
    }
}

/// A new directory.
fn begin(disk: Arc<dyn Disk>, options: &Options) -> Result<(Log, Recovered), OpenError> {
    let cluster = options.cluster;
    let header =
        Header { kind: Kind::Segment, format: FORMAT, cluster, sequence: 1, first: 1, snapshot: 0, chain: 0 };
    let log = Log::begin(disk.clone(), Arc::default(), options.segment_bytes, header, true)?;
    let records = RecordReader { disk, segments: [].into(), end: 0, after: 0, scan: None, chain: None };
    Ok((log, Recovered { cluster, revision: 0, snapshot: None, records, torn: None, clean: true }))
}

/// The segments as their headers tell them.
struct Chain<'a> {
    disk: &'a dyn Disk,
    snapshot: Option<&'a SnapshotReader>,
    newest: Option<Scan>,
}

impl Chain<'_> {
    /// Checks that the segments lead from the snapshot to the newest one without a gap. Returns the newest one.
    fn walk(mut self, segments: &[u64]) -> Result<Scan, OpenError> {
        for first in segments {
            let name = name::segment(*first);
            let scan = Scan::open(self.disk, &name, Kind::Segment)?;
            if scan.header().first != *first {
                let found = format!("first revision {}", scan.header().first);
                return Err(scan.damage(&format!("first revision {first}"), found).into());
            }
            self.check_cluster(&name, scan.header().cluster)?;
            match &self.newest {
                None => self.check_beginning(&name, scan.header())?,
                Some(before) => self.check_successor(before.header(), &scan)?,
            }
            self.newest = Some(scan);
        }
        self.newest
            .ok_or_else(|| missing(self.disk, "the journal segment that follows its snapshot".to_owned()))
    }

    fn check_cluster(&self, name: &str, found: ClusterId) -> Result<(), OpenError> {
        let before = self.newest.as_ref().map(|scan| scan.header().cluster);
        match before.or(self.snapshot.map(SnapshotReader::cluster)) {
            Some(expected) if expected != found => {
                Err(OpenError::Foreign { file: self.disk.path(name), expected, found })
            }
            _ => Ok(()),
        }
    }

    /// The oldest segment continues the snapshot, or is the first of all.
    fn check_beginning(&self, name: &str, header: &Header) -> Result<(), OpenError> {
        match self.snapshot.map(SnapshotReader::revision) {
            None if header.sequence == 1 => Ok(()),
            None => Err(missing(self.disk, format!("the snapshot that {name} follows"))),
            Some(revision) if header.first <= revision.saturating_add(1) => Ok(()),
            Some(revision) => {
                Err(missing(self.disk, format!("the segments between revision {revision} and {name}")))
            }
        }?;
        self.check_snapshot(name, header)
    }

    fn check_successor(&self, before: &Header, scan: &Scan) -> Result<(), OpenError> {
        let header = scan.header();
        if header.sequence != before.sequence + 1 {
            let expected = format!("segment number {}", before.sequence + 1);
            return Err(scan.damage(&expected, format!("number {}", header.sequence)).into());
        }
        self.check_snapshot(&name::segment(header.first), header)
    }

    /// A segment that was begun on a snapshot means nothing without it.
    fn check_snapshot(&self, name: &str, header: &Header) -> Result<(), OpenError> {
        if header.snapshot > self.snapshot.map_or(0, SnapshotReader::revision) {
            return Err(missing(
                self.disk,
                format!("the snapshot of revision {} that {name} follows", header.snapshot),
            ));
        }
        Ok(())
    }
}

/// Goes on behind the last good frame of `scan`, which is all on disk.
fn resume(disk: Arc<dyn Disk>, kept: Kept, segment_bytes: u64, scan: Scan, clean: bool, cut: bool) -> Log {
    let (offset, chain, salt, last) = (scan.offset(), scan.chain(), scan.salt(), scan.last());
    let allocated = if cut { offset } else { scan.end() };
    // Without a record there is nothing to mark.
    let marked = clean || last < scan.header().first;
    let (header, kept) = (scan.header().clone(), Arc::new(Mutex::new(kept)));
    let file = scan.into_file();
    Log {
        disk,
        kept,
        segment_bytes,
        file,
        header,
        offset,
        allocated,
        chain,
        salt,
        last,
        synced: last,
        marked,
        thrifty: false,
    }
}

fn info(disk: &dyn Disk, snapshot: &SnapshotReader) -> SnapshotInfo {
    let revision = snapshot.revision();
    SnapshotInfo { revision, file: disk.path(&name::snapshot(revision)), bytes: snapshot.bytes() }
}

fn missing(disk: &dyn Disk, what: String) -> OpenError {
    OpenError::Missing { dir: disk.path(""), what }
}
