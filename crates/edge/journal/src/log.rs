//! The writing end: the segment that records are appended to, and its successors.
//!
//! Not here: when to write and when to sync (`committer`), and who waits for it (`journal`). Invariants: a segment has
//! its name only once its header is on disk; a new segment is begun only when all frames of the old one are on disk.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::{
    disk::{Disk, File, failure, publish},
    error::{FailureKind, IoError, JournalError},
    frame, header,
    header::{Header, Kind},
    kept::Kept,
    name,
};

/// How far ahead of its end a segment is preallocated, at most. Bytes.
const STRIDE: u64 = 4 << 20;

pub(crate) struct Log {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) kept: Arc<Mutex<Kept>>,
    pub(crate) segment_bytes: u64,
    pub(crate) file: Box<dyn File>,
    pub(crate) header: Header,
    /// Where the next frame goes.
    pub(crate) offset: u64,
    pub(crate) allocated: u64,
    /// The checksum of the last frame.
    pub(crate) chain: u32,
    pub(crate) salt: u32,
    /// The last revision written.
    pub(crate) last: u64,
    /// The last revision known to be on disk.
    pub(crate) synced: u64,
    /// Whether the last frame is a mark, or there is none to mark.
    pub(crate) marked: bool,
}

impl Log {
    /// Makes a segment durably, with its header and no frames. Its revision and those below count as written.
    pub(crate) fn begin(
        disk: Arc<dyn Disk>,
        kept: Arc<Mutex<Kept>>,
        segment_bytes: u64,
        header: Header,
    ) -> Result<Log, IoError> {
        let allocated = STRIDE.min(segment_bytes);
        let file = publish(&*disk, &name::segment(header.first), |file| {
            file.preallocate(allocated);
            file.write_at(&header.encode(), 0)
        })?;
        let (salt, last) = (header.salt(), header.first - 1);
        kept.lock().segments.push(header.first);
        Ok(Log {
            disk,
            kept,
            segment_bytes,
            file,
            header,
            offset: header::LENGTH as u64,
            allocated,
            chain: salt,
            salt,
            last,
            synced: last,
            marked: true,
        })
    }

    /// Writes a batch of finished frames, over as many segments as it takes.
    pub(crate) fn write(&mut self, batch: &mut [u8]) -> Result<(), JournalError> {
        let (mut start, mut at) = (0, 0);
        while at < batch.len() {
            let end = at + frame::length(&batch[at..]);
            if self.is_full((end - start) as u64) {
                self.put(&batch[start..at])?;
                self.roll()?;
                start = at;
            }
            let frame = &mut batch[at..end];
            self.chain = frame::seal(frame, self.synced, self.salt, self.chain);
            self.last = frame::number(frame);
            at = end;
        }
        self.put(&batch[start..])?;
        self.marked = self.marked && batch.is_empty();
        Ok(())
    }

    /// Whether `more` bytes belong to a new segment: after a snapshot too, since the one being written can then go with
    /// the next snapshot, and since the new one names the snapshot that it builds on.
    fn is_full(&self, more: u64) -> bool {
        let snapshot = self.kept.lock().snapshot_revision();
        if self.last < self.header.first {
            // Without a record its successor would have the same name, unless the snapshot went ahead of it.
            return snapshot >= self.header.first;
        }
        snapshot > self.header.snapshot || self.offset + more > self.segment_bytes
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = self.offset + bytes.len() as u64;
        if end > self.allocated {
            self.allocated = end.max((end + STRIDE).min(self.segment_bytes));
            self.file.preallocate(self.allocated);
        }
        if let Err(source) = self.file.write_at(bytes, self.offset) {
            // A partial record would read as a torn tail. Best effort: the write's own error is what is reported.
            let _ = self.file.set_len(self.offset);
            return Err(self.failed(FailureKind::Write, "writing", source));
        }
        self.offset = end;
        Ok(())
    }

    /// Brings everything written to disk. After a failure nothing may be written or synced any more.
    pub(crate) fn sync(&mut self) -> Result<(), JournalError> {
        if self.synced < self.last {
            self.file.sync().map_err(|source| self.failed(FailureKind::Sync, "syncing", source))?;
            self.synced = self.last;
        }
        Ok(())
    }

    /// Goes on in a new segment.
    fn roll(&mut self) -> Result<(), JournalError> {
        self.sync()?;
        let snapshot = self.kept.lock().snapshot_revision();
        let header = Header {
            kind: Kind::Segment,
            cluster: self.header.cluster,
            sequence: self.header.sequence + 1,
            first: self.last.max(snapshot) + 1,
            snapshot,
            chain: self.chain,
        };
        let next = Log::begin(self.disk.clone(), self.kept.clone(), self.segment_bytes, header);
        *self = next.map_err(|error| JournalError::io(FailureKind::Write, &error))?;
        Ok(())
    }

    /// Leaves a mark that everything before it is on disk: from then on a flaw anywhere is damage.
    pub(crate) fn mark(&mut self) -> Result<(), JournalError> {
        self.sync()?;
        if self.marked {
            return Ok(());
        }
        let (bytes, chain) = frame::mark(self.last, self.salt, self.chain);
        self.put(&bytes)?;
        self.file.sync().map_err(|source| self.failed(FailureKind::Sync, "syncing", source))?;
        (self.chain, self.marked) = (chain, true);
        Ok(())
    }

    fn failed(&self, kind: FailureKind, doing: &'static str, source: std::io::Error) -> JournalError {
        JournalError::io(kind, &failure(&*self.disk, &name::segment(self.header.first), doing, source))
    }
}
