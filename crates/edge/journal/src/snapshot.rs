//! A snapshot file: a header and frames, as in a segment. Chunk *n* is frame number *n*, settled 0; a mark that counts
//! one more closes it, so that a file that ends early is never taken for a whole one.
//!
//! ```text
//!   | header, first = revision | chunk 1 | chunk 2 | chunk 3 | mark 4 |
//! ```
//!
//! Not here: letting the segments go that a snapshot covers (`journal`), and snapshots outside of a journal's directory
//! (`backup`).

use std::io;

use crate::{
    disk::{Disk, File, publish},
    error::{OpenError, ReadError, WriteError},
    frame::{self, Draft},
    header::{FORMAT, Header, Kind},
    kept::SnapshotInfo,
    name,
    options::ClusterId,
    scan::{Scan, Step},
};

/// How many bytes are written at once, at least.
const PIECE: usize = 256 << 10;

/// The chunks of a snapshot in the order in which they were written, each checked when it is read. Whoever stops before
/// the end, or meets an error, does not have the state.
pub struct SnapshotReader {
    scan: Scan,
    finished: bool,
}

impl SnapshotReader {
    pub(crate) fn open(disk: &dyn Disk, revision: u64) -> Result<SnapshotReader, OpenError> {
        let reader = SnapshotReader::over(Scan::open(disk, &name::snapshot(revision), Kind::Snapshot)?);
        reader.expect_revision(revision)?;
        Ok(reader)
    }

    pub(crate) fn over(scan: Scan) -> SnapshotReader {
        SnapshotReader { scan, finished: false }
    }

    fn expect_revision(&self, revision: u64) -> Result<(), OpenError> {
        if self.revision() == revision {
            return Ok(());
        }
        Err(self.scan.damage(&format!("revision {revision}"), self.revision().to_string()).into())
    }

    /// The revision whose state this is.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.scan.header().first
    }

    /// How long the file is, for showing progress.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.scan.end()
    }

    /// The cluster whose state this is.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.scan.header().cluster
    }

    /// The format of the file.
    #[must_use]
    pub fn format(&self) -> u32 {
        self.scan.header().format
    }

    fn chunk(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        match self.scan.step()? {
            Step::Frame(head, chunk) if !head.is_mark() => return Ok(Some(chunk.to_vec())),
            Step::Frame(..) => {}
            Step::End => return Err(self.scan.damage("a closing mark", "the end of the file".into()).into()),
            Step::Flaw(damage) => return Err(damage.into()),
        }
        if self.scan.offset() == self.scan.end() {
            Ok(None)
        } else {
            Err(self.scan.damage("the end of the file", "more bytes".into()).into())
        }
    }
}

impl Iterator for SnapshotReader {
    type Item = Result<Vec<u8>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let item = self.chunk().transpose();
        self.finished = !matches!(item, Some(Ok(_)));
        item
    }
}

/// Writes a snapshot as the file `name` and reads it back. One that does not read back is removed; one whose chunks break
/// off never gets its name.
pub(crate) fn write(
    disk: &dyn Disk,
    name: &str,
    cluster: ClusterId,
    revision: u64,
    chunks: impl Iterator<Item = io::Result<Vec<u8>>>,
) -> Result<SnapshotInfo, WriteError> {
    let header = Header {
        kind: Kind::Snapshot,
        format: FORMAT,
        cluster,
        sequence: 0,
        first: revision,
        snapshot: revision,
        chain: 0,
    };
    let mut written = 0;
    let file = publish(disk, name, |file| {
        written = fill(file, &header, chunks)?;
        Ok(())
    })?;
    drop(file);
    if let Err(error) = read_back(disk, name, revision, written) {
        // Best effort: what remains of it stops the next start, which is what a disk that changes data calls for.
        let _ = disk.remove(name).and_then(|()| disk.sync_dir());
        return Err(WriteError::Unverified(error));
    }
    Ok(SnapshotInfo { revision, file: disk.path(name), bytes: written })
}

/// Returns how many bytes it has written.
fn fill(
    file: &dyn File,
    header: &Header,
    chunks: impl Iterator<Item = io::Result<Vec<u8>>>,
) -> io::Result<u64> {
    let salt = header.salt();
    let (mut chain, mut count, mut offset) = (salt, 0, 0);
    let mut buffer = header.encode().to_vec();
    for chunk in chunks {
        count += 1;
        let start = buffer.len();
        let mut draft = Draft::begin(&mut buffer, count);
        draft.payload().extend_from_slice(&chunk?);
        draft.finish();
        chain = frame::seal(&mut buffer[start..], 0, salt, chain);
        if buffer.len() >= PIECE {
            file.write_at(&buffer, offset)?;
            offset += buffer.len() as u64;
            buffer.clear();
        }
    }
    buffer.extend_from_slice(&frame::mark(count + 1, salt, chain).0);
    file.write_at(&buffer, offset)?;
    Ok(offset + buffer.len() as u64)
}

fn read_back(disk: &dyn Disk, name: &str, revision: u64, written: u64) -> Result<(), OpenError> {
    let mut reader = SnapshotReader::over(Scan::open(disk, name, Kind::Snapshot)?);
    reader.expect_revision(revision)?;
    for chunk in &mut reader {
        chunk?;
    }
    if reader.bytes() == written {
        Ok(())
    } else {
        Err(reader.scan.damage(&format!("{written} bytes"), reader.bytes().to_string()).into())
    }
}
