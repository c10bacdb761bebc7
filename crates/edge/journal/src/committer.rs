//! The journal's thread: takes all that waits, writes it at once, syncs once, and says how far the disk has come.
//!
//! While a sync runs the next batch gathers: the slower the disk, the larger the groups. A failed write or sync is the
//! end: nothing is tried again, nothing more is acknowledged.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    error::{FailureKind, JournalError},
    log::Log,
    queue::{Queue, Wake},
};

/// A buffer that one large batch has widened beyond this is given back.
const BUFFER_KEPT: usize = 8 << 20;

pub(crate) struct Committer {
    pub(crate) queue: Arc<Queue>,
    pub(crate) log: Log,
    pub(crate) interval: Duration,
    /// When the next sync may be, if there is something to sync.
    pub(crate) next_sync: Instant,
    pub(crate) on_durable: Box<dyn Fn(u64) + Send>,
    pub(crate) on_failure: Box<dyn Fn(&JournalError) + Send>,
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
        let mut batch = Vec::new();
        loop {
            let due = (self.log.synced < self.log.last).then_some(self.next_sync);
            let wake = self.queue.take(&mut batch, due);
            self.commit(&mut batch, wake)?;
            self.queue.written(batch.len() as u64);
            batch.clear();
            batch.shrink_to(BUFFER_KEPT);
            if wake == Wake::Close {
                return self.log.mark();
            }
        }
    }

    fn commit(&mut self, batch: &mut [u8], wake: Wake) -> Result<(), JournalError> {
        self.log.write(batch)?;
        let now = Instant::now();
        if wake == Wake::Close || now >= self.next_sync {
            self.next_sync = now + self.interval;
            self.log.sync()?;
        }
        // Also after the sync that a new segment begins with.
        if self.queue.durable() < self.log.synced && self.queue.advance(self.log.synced) {
            (self.on_durable)(self.log.synced);
        }
        Ok(())
    }
}
