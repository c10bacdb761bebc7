//! The journal's thread: takes all that waits, writes it at once, syncs once, and says how far the disk has come.
//!
//! While a sync runs the next batch gathers: the slower the disk, the larger the groups. A failed sync, and a write that
//! fails for another reason than room, is the end: nothing is tried again, nothing more is acknowledged.
//!
//! A full disk is no failure. What was not written is taken back, the reserve is given free, and it is written then. When
//! even that is used up, records wait in memory, unacknowledged, until there is room. Whether there is is looked at four
//! times a second, or when somebody asks.
//!
//! ```text
//!   with reserve --no room--> full --no room--> full, records wait
//!        ^                    |  ^                      |
//!        +---- reserve back --+  +------ room ----------+
//! ```

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    error::{FailureKind, JournalError},
    log::Log,
    points,
    queue::{Queue, Wake},
    reserve::Reserve,
};

/// A buffer that one large batch has widened beyond this is given back.
const BUFFER_KEPT: usize = 8 << 20;

/// How long records gather when a sync is not wanted at once: nobody waits for their write, and it is a small part of what
/// may be lost anyway.
const GATHER: Duration = Duration::from_millis(2);

/// How often a full disk is looked at.
const PROBE: Duration = Duration::from_millis(250);

pub(crate) struct Committer {
    pub(crate) queue: Arc<Queue>,
    pub(crate) log: Log,
    pub(crate) reserve: Reserve,
    pub(crate) interval: Duration,
    /// When the next sync may be, if there is something to sync.
    pub(crate) next_sync: Instant,
    /// When a full disk is looked at next.
    pub(crate) next_look: Instant,
    pub(crate) on_durable: Box<dyn Fn(u64) + Send>,
    pub(crate) on_failure: Box<dyn Fn(&JournalError) + Send>,
    pub(crate) on_space: Box<dyn Fn(bool) + Send>,
}

impl Committer {
    /// Returns when the queue is closed and empty, or at the first failure.
    pub(crate) fn run(mut self) {
        // Those who wait would wait for ever for a thread that a panic has ended.
        let ended = catch_unwind(AssertUnwindSafe(|| self.commit_until_closed())).unwrap_or_else(|_| {
            Err(JournalError::new(
                FailureKind::Panic,
                "the journal's thread panicked: this is a bug in Adsum",
            ))
        });
        if let Err(error) = ended {
            self.queue.fail(error.clone());
            (self.on_failure)(&error);
        }
    }

    fn commit_until_closed(&mut self) -> Result<(), JournalError> {
        if !self.reserve.is_held() {
            (self.on_space)(false);
        }
        // What is left in it after a round waits for room.
        let mut batch = Vec::new();
        let mut earliest = None;
        loop {
            let wake = self.queue.take(&mut batch, self.due(), earliest);
            if wake == Wake::Look {
                self.next_look = Instant::now();
            }
            let written = self.commit(&mut batch, wake)?;
            self.queue.written(written as u64);
            let gathers = written > 0 && !self.interval.is_zero();
            earliest = gathers.then(|| Instant::now() + GATHER);
            batch.drain(..written);
            batch.shrink_to(BUFFER_KEPT);
            if wake == Wake::Close {
                return self.close(&batch);
            }
            self.look_for_room(&batch)?;
        }
    }

    /// When there is something to do without anything being appended.
    fn due(&self) -> Option<Instant> {
        let sync = (self.log.synced < self.log.last).then_some(self.next_sync);
        let look = (!self.reserve.is_held()).then_some(self.next_look);
        sync.into_iter().chain(look).min()
    }

    /// Returns how much of the batch is written: all that there is room for.
    fn commit(&mut self, batch: &mut [u8], wake: Wake) -> Result<usize, JournalError> {
        let written = self.write(batch)?;
        let now = Instant::now();
        if wake == Wake::Close || now >= self.next_sync {
            self.next_sync = now + self.interval;
            self.log.sync()?;
        }
        // Also after the sync that a new segment begins with.
        if self.queue.durable() < self.log.synced {
            points::reach("acknowledge-before");
            if self.queue.advance(self.log.synced) {
                (self.on_durable)(self.log.synced);
            }
            points::reach("acknowledge-after");
        }
        Ok(written)
    }

    fn write(&mut self, batch: &mut [u8]) -> Result<usize, JournalError> {
        let mut written = self.log.write(batch)?;
        if written < batch.len() && self.give_reserve_free() {
            written += self.log.write(&mut batch[written..])?;
        }
        Ok(written)
    }

    /// Returns whether it was there to be given.
    fn give_reserve_free(&mut self) -> bool {
        if !self.reserve.release() {
            return false;
        }
        self.next_look = Instant::now() + PROBE;
        self.log.thrifty = true;
        self.queue.set_full(true);
        (self.on_space)(false);
        true
    }

    /// When nothing waits, and the reserve finds its room again and a stride beside it, the disk is no longer full. Without
    /// the stride it would be full again at once.
    fn look_for_room(&mut self, waiting: &[u8]) -> Result<(), JournalError> {
        let now = Instant::now();
        if self.reserve.is_held() || now < self.next_look {
            return Ok(());
        }
        self.next_look = now + PROBE;
        if waiting.is_empty() {
            self.log.let_go_of_covered()?;
        }
        // Whatever else refuses the reserve will refuse the log as well, and is told then.
        if waiting.is_empty() && self.reserve.take().unwrap_or(false) {
            if self.log.take_stride()? {
                self.queue.set_full(false);
                (self.on_space)(true);
            } else {
                self.reserve.release();
            }
        }
        Ok(())
    }

    /// Leaves a mark. One that finds no room is not missed by anybody: all records are on disk without it.
    fn close(&mut self, waiting: &[u8]) -> Result<(), JournalError> {
        if !waiting.is_empty() {
            return Err(JournalError::no_room(&self.log.path(), waiting.len()));
        }
        if !self.log.mark()? && self.give_reserve_free() {
            self.log.mark()?;
        }
        Ok(())
    }
}
