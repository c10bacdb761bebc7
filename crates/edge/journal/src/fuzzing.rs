//! The readers of the journal's files on bytes in memory, for the fuzz targets. Nothing else uses them.

use std::{io, path::PathBuf};

use crate::{
    disk::File,
    header::Kind,
    scan::{Scan, Step},
    snapshot::SnapshotReader,
    tail,
};

/// How far a file could be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// How many records or chunks.
    pub frames: u64,
    /// The bytes in them.
    pub payload: u64,
    /// Whether the file ends as it should, not in a flaw.
    pub whole: bool,
}

/// Reads bytes as a segment. None when there is no header.
#[must_use]
pub fn read_segment(bytes: &[u8]) -> Option<Read> {
    let mut scan = over(bytes, Kind::Segment)?;
    let mut read = Read::default();
    loop {
        match scan.step().ok()? {
            Step::Frame(_, payload) => {
                read.frames += 1;
                read.payload += payload.len() as u64;
            }
            Step::End => return Some(Read { whole: true, ..read }),
            Step::Flaw(_) => break,
        }
    }
    // Which of the two it is does not matter here, but that it can be told.
    tail::is_damage(&mut scan).ok()?;
    Some(read)
}

/// Reads bytes as a snapshot. None when there is no header.
#[must_use]
pub fn read_snapshot(bytes: &[u8]) -> Option<Read> {
    let mut read = Read::default();
    for chunk in SnapshotReader::over(over(bytes, Kind::Snapshot)?) {
        let Ok(chunk) = chunk else { return Some(read) };
        read.frames += 1;
        read.payload += chunk.len() as u64;
    }
    Some(Read { whole: true, ..read })
}

fn over(bytes: &[u8], kind: Kind) -> Option<Scan> {
    Scan::over(Box::new(InMemory(bytes.to_vec())), PathBuf::from("in memory"), kind).ok()
}

/// Can only be read.
struct InMemory(Vec<u8>);

impl File for InMemory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn preallocate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
