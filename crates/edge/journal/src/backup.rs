//! Snapshots outside of a journal's directory: written, looked at, read, and made a journal again.
//!
//! A snapshot file is the same everywhere, whatever its name. Not here: what its chunks mean, and that a restored state
//! has to be above everything that was ever handed out, which is for whoever chooses its revision to see to.

use std::{io, path::Path, sync::Arc};

use crate::{
    directory::Directory,
    disk::Disk,
    error::{OpenError, ReadError, RestoreError, WriteError},
    header::{FORMAT, Header, Kind},
    kept::SnapshotInfo,
    lock::Lock,
    log::Log,
    name,
    options::{ClusterId, Options},
    scan::Scan,
    snapshot::{self, SnapshotReader},
};

/// What a whole snapshot file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotSummary {
    /// The format of the file.
    pub format: u32,
    /// The cluster whose state it is.
    pub cluster: ClusterId,
    /// The revision whose state it is.
    pub revision: u64,
    /// How long the file is.
    pub bytes: u64,
    /// How many chunks it has.
    pub chunks: u64,
}

/// Opens the snapshot file at `path`, which may be anywhere, and is not changed. Its chunks are checked as they are read.
pub fn open_snapshot_file(path: &Path) -> Result<SnapshotReader, OpenError> {
    let file = Directory::read_only(path).map_err(|source| unusable(path, "reading", source))?;
    Ok(SnapshotReader::over(Scan::over(file, path.to_owned(), Kind::Snapshot)?))
}

/// Reads the snapshot file at `path` to its end, with every checksum in it.
pub fn inspect_snapshot(path: &Path) -> Result<SnapshotSummary, OpenError> {
    let mut reader = open_snapshot_file(path)?;
    let mut chunks = 0;
    for chunk in &mut reader {
        chunk?;
        chunks += 1;
    }
    let (format, cluster) = (reader.format(), reader.cluster());
    Ok(SnapshotSummary { format, cluster, revision: reader.revision(), bytes: reader.bytes(), chunks })
}

/// Writes a snapshot file at `path`, whole and durable and read back, or not at all. A file that is there is replaced.
///
/// # Panics
/// When a chunk is over 256 MiB.
pub fn write_snapshot_file(
    path: &Path,
    cluster: ClusterId,
    revision: u64,
    chunks: impl Iterator<Item = Vec<u8>>,
) -> Result<SnapshotInfo, WriteError> {
    let (dir, name) = place(path).map_err(|source| unusable_file(path, "writing", source))?;
    snapshot::write(&dir, name, cluster, revision, chunks.map(Ok))
}

/// Makes `dir` the directory of a journal of `cluster` that holds this state at `revision` and no record. It may exist,
/// but hold no journal. Interrupted, it leaves a directory that does not open: restore again, into another one.
///
/// # Panics
/// When a chunk is over 256 MiB.
pub fn restore_into(
    dir: &Path,
    cluster: ClusterId,
    revision: u64,
    chunks: impl Iterator<Item = Result<Vec<u8>, ReadError>>,
) -> Result<SnapshotInfo, RestoreError> {
    let refused = |source| OpenError::Directory { dir: dir.to_owned(), source };
    let disk = Arc::new(Directory::open(dir).map_err(refused)?);
    let _lock = Lock::take(dir)?;
    if let Some(file) = disk.list().map_err(refused)?.into_iter().find(|name| name::is_journal(name)) {
        return Err(RestoreError::Occupied { dir: dir.to_owned(), file });
    }
    let info = write_whole(&disk, cluster, revision, chunks)?;
    // Last: a snapshot without a segment does not open, a segment without its snapshot neither.
    let header = Header {
        kind: Kind::Segment,
        format: FORMAT,
        cluster,
        sequence: 1,
        first: revision + 1,
        snapshot: revision,
        chain: 0,
    };
    let segment_bytes = Options::new(dir, cluster).segment_bytes;
    Log::begin(disk, Arc::default(), segment_bytes, header, true).map_err(OpenError::Io)?;
    Ok(info)
}

/// A state that cannot be read to its end is not written: it would be taken for a whole one.
fn write_whole(
    disk: &Directory,
    cluster: ClusterId,
    revision: u64,
    chunks: impl Iterator<Item = Result<Vec<u8>, ReadError>>,
) -> Result<SnapshotInfo, RestoreError> {
    let mut broken = None;
    let readable = chunks.map(|chunk| {
        chunk.map_err(|error| {
            broken = Some(error);
            io::Error::other("the state that is restored breaks off")
        })
    });
    let written = snapshot::write(disk, &name::snapshot(revision), cluster, revision, readable);
    match broken {
        Some(error) => Err(error.into()),
        None => Ok(written?),
    }
}

/// The directory of a file, and its name there.
fn place(path: &Path) -> io::Result<(Directory, &str)> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file"))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((Directory::existing(parent)?, name))
}

fn unusable(path: &Path, doing: &'static str, source: io::Error) -> OpenError {
    unusable_file(path, doing, source).into()
}

fn unusable_file(path: &Path, doing: &'static str, source: io::Error) -> crate::IoError {
    crate::IoError { doing, file: path.to_owned(), source }
}
