//! The writing end: the segment that records are appended to, and its successors.
//!
//! Not here: when to write and when to sync (`committer`), and who waits for it (`journal`). Invariants: a segment has
//! its name only once its header is on disk; a new segment is begun only when all frames of the old one are on disk.

use std::{io, path::PathBuf, sync::Arc};

use parking_lot::Mutex;

use crate::{
    disk::{Disk, File, failure, is_no_room, publish},
    error::{FailureKind, IoError, JournalError},
    frame, header,
    header::{Header, Kind},
    kept::{self, Kept},
    name, points,
};

/// How far ahead of its end a segment is preallocated, at most. Bytes.
const STRIDE: u64 = 4 << 20;

/// The same on a full disk.
const THRIFTY_STRIDE: u64 = 64 << 10;

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
    /// The disk is full: nothing is taken that is not needed.
    pub(crate) thrifty: bool,
}

impl Log {
    /// Makes a segment durably, with its header and no frames. Its revision and those below count as written.
    pub(crate) fn begin(
        disk: Arc<dyn Disk>,
        kept: Arc<Mutex<Kept>>,
        segment_bytes: u64,
        header: Header,
        thrifty: bool,
    ) -> Result<Log, IoError> {
        let mut allocated = header::LENGTH as u64;
        let file = publish(&*disk, &name::segment(header.first), |file| {
            if !thrifty {
                allocated = STRIDE.min(segment_bytes).max(allocated);
                no_room_is_an_error(file.preallocate(allocated))?;
            }
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
            thrifty,
        })
    }

    /// Writes a batch of finished frames, over as many segments as it takes, as far as there is room. Returns how many
    /// bytes of it are written, always whole frames.
    pub(crate) fn write(&mut self, batch: &mut [u8]) -> Result<usize, JournalError> {
        let mut written = 0;
        while written < batch.len() {
            let first = frame::length(&batch[written..]) as u64;
            if self.is_full(first) && !self.roll()? {
                break;
            }
            let end = written + self.fitting(&batch[written..]);
            if !self.put(&mut batch[written..end])? {
                break;
            }
            written = end;
        }
        self.marked = self.marked && written == 0;
        Ok(written)
    }

    /// Whether `more` bytes belong to a new segment: after a snapshot too, since the one being written can then go with
    /// the next snapshot, and since the new one names the snapshot that it builds on.
    fn is_full(&self, more: u64) -> bool {
        let snapshot = self.kept.lock().snapshot_revision();
        if self.last < self.header.first {
            // Without a record its successor would have the same name, unless the snapshot went ahead of it.
            return snapshot >= self.header.first;
        }
        // One that an older version began does not take what that version cannot read.
        let is_older = self.header.format < header::FORMAT;
        is_older || snapshot > self.header.snapshot || self.offset + more > self.segment_bytes
    }

    /// How many bytes of the batch belong to this segment: the first frame in any case.
    fn fitting(&self, batch: &[u8]) -> usize {
        let mut end = frame::length(batch);
        while end < batch.len() {
            let next = end + frame::length(&batch[end..]);
            if self.offset + next as u64 > self.segment_bytes {
                break;
            }
            end = next;
        }
        end
    }

    /// Returns whether there was room. Otherwise nothing has happened.
    fn put(&mut self, frames: &mut [u8]) -> Result<bool, JournalError> {
        let end = self.offset + frames.len() as u64;
        if !self.make_room(end)? {
            return Ok(false);
        }
        let (chain, last) = self.seal(frames);
        points::reach("append-before-write");
        if let Err(source) = self.file.write_at(frames, self.offset) {
            return self.take_back(source);
        }
        (self.offset, self.chain, self.last) = (end, chain, last);
        points::reach("append-after-write");
        Ok(true)
    }

    /// Fills in what the frames' place decides. Returns the chain and the revision behind them.
    fn seal(&self, frames: &mut [u8]) -> (u32, u64) {
        let (mut chain, mut last, mut rest) = (self.chain, self.last, frames);
        while !rest.is_empty() {
            let (frame, behind) = rest.split_at_mut(frame::length(rest));
            chain = frame::seal(frame, self.synced, self.salt, chain);
            last = frame::number(frame);
            rest = behind;
        }
        (chain, last)
    }

    /// Preallocates up to `end` and beyond. Returns whether there was room for as much as is wanted.
    fn make_room(&mut self, end: u64) -> Result<bool, JournalError> {
        if end <= self.allocated {
            return Ok(true);
        }
        let ahead = |stride: u64| end.max((end + stride).min(self.segment_bytes));
        let wanted: &[u64] = if self.thrifty { &[ahead(THRIFTY_STRIDE), end] } else { &[ahead(STRIDE)] };
        for wanted in wanted {
            if no_room_is_an_error(self.file.preallocate(*wanted)).is_ok() {
                self.allocated = *wanted;
                return Ok(true);
            }
            // What it got of it may be all that the disk had.
            self.cut(self.allocated)?;
        }
        Ok(false)
    }

    /// Preallocates as on a disk that is not full. Returns whether there is room; if not, nothing has changed.
    pub(crate) fn take_stride(&mut self) -> Result<bool, JournalError> {
        self.thrifty = false;
        self.thrifty = !self.make_room((self.allocated + 1).min(self.segment_bytes))?;
        Ok(!self.thrifty)
    }

    /// After a refused write: a part of it would read as a torn tail.
    fn take_back(&mut self, refusal: io::Error) -> Result<bool, JournalError> {
        if is_no_room(&refusal) {
            self.cut(self.offset)?;
            self.allocated = self.offset;
            return Ok(false);
        }
        // Best effort: the write's own error is what is reported.
        let _ = self.file.set_len(self.offset);
        Err(self.failed(FailureKind::Write, "writing", refusal))
    }

    fn cut(&self, len: u64) -> Result<(), JournalError> {
        self.file.set_len(len).map_err(|source| self.failed(FailureKind::Write, "cutting", source))
    }

    /// Brings everything written to disk. After a failure nothing may be written or synced any more.
    pub(crate) fn sync(&mut self) -> Result<(), JournalError> {
        if self.synced < self.last {
            points::reach("append-before-sync");
            self.file.sync().map_err(|source| self.failed(FailureKind::Sync, "syncing", source))?;
            points::reach("append-after-sync");
            self.synced = self.last;
        }
        Ok(())
    }

    /// Goes on in a new segment. Returns whether there was room for it.
    fn roll(&mut self) -> Result<bool, JournalError> {
        self.sync()?;
        let snapshot = self.kept.lock().snapshot_revision();
        let header = Header {
            kind: Kind::Segment,
            format: header::FORMAT,
            cluster: self.header.cluster,
            sequence: self.header.sequence + 1,
            first: self.last.max(snapshot) + 1,
            snapshot,
            chain: self.chain,
        };
        match Log::begin(self.disk.clone(), self.kept.clone(), self.segment_bytes, header, self.thrifty) {
            Ok(next) => *self = next,
            Err(error) if error.is_no_room() => return Ok(false),
            Err(error) => return Err(JournalError::io(FailureKind::Write, &error)),
        }
        Ok(true)
    }

    /// Lets go of what a snapshot has made superfluous, this segment too, when there is room for the header of the next:
    /// on a full disk nothing else would begin one.
    pub(crate) fn let_go_of_covered(&mut self) -> Result<(), JournalError> {
        let snapshot = self.kept.lock().snapshot_revision();
        let has_record = self.last >= self.header.first;
        // Without a record its successor would have the same name.
        if snapshot <= self.header.snapshot
            || !(has_record || snapshot >= self.header.first)
            || !self.roll()?
        {
            return Ok(());
        }
        kept::remove_covered(&*self.disk, &self.kept, snapshot)
            .and_then(|()| {
                self.disk.sync_dir().map_err(|error| failure(&*self.disk, "", "syncing the directory", error))
            })
            .map_err(|error| JournalError::io(FailureKind::Write, &error))
    }

    /// Leaves a mark that everything before it is on disk: from then on a flaw anywhere is damage. Returns whether there
    /// was room for it.
    pub(crate) fn mark(&mut self) -> Result<bool, JournalError> {
        self.sync()?;
        if self.marked {
            return Ok(true);
        }
        points::reach("mark-before-write");
        let (bytes, chain) = frame::mark(self.last, self.salt, self.chain);
        if !self.make_room(self.offset + bytes.len() as u64)? {
            return Ok(false);
        }
        if let Err(source) = self.file.write_at(&bytes, self.offset) {
            return self.take_back(source);
        }
        self.offset += bytes.len() as u64;
        self.file.sync().map_err(|source| self.failed(FailureKind::Sync, "syncing", source))?;
        points::reach("mark-after-sync");
        (self.chain, self.marked) = (chain, true);
        Ok(true)
    }

    /// Where the records go.
    pub(crate) fn path(&self) -> PathBuf {
        self.disk.path(&name::segment(self.header.first))
    }

    fn failed(&self, kind: FailureKind, doing: &'static str, source: std::io::Error) -> JournalError {
        JournalError::io(kind, &failure(&*self.disk, &name::segment(self.header.first), doing, source))
    }
}

/// Without blocks reserved the write tells what there is to tell; and a filesystem may be unable to reserve any.
fn no_room_is_an_error(preallocated: io::Result<()>) -> io::Result<()> {
    preallocated.or_else(|error| if is_no_room(&error) { Err(error) } else { Ok(()) })
}
