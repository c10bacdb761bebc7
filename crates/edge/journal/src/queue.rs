//! What waits for the disk, and how far the disk has come: the meeting place of those who append, the committer, and
//! those who wait. One short lock; nobody holds it while touching a file.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::{error::JournalError, frame::Draft};

pub(crate) struct Queue {
    pending: Mutex<Pending>,
    /// There is something to write, or an end to come to.
    work: Condvar,
    /// The durable revision has grown, or the journal has failed.
    progress: Condvar,
    durable: AtomicU64,
    /// Bytes appended and not written yet.
    unwritten: AtomicU64,
    /// Bytes appended since the newest snapshot.
    since_snapshot: AtomicU64,
    /// There is no room for the reserve.
    full: AtomicBool,
    failure: OnceLock<JournalError>,
}

struct Pending {
    frames: Vec<u8>,
    /// The highest revision appended.
    last: u64,
    closing: bool,
    /// Somebody wants to know whether there is room.
    asked: bool,
    /// The committer lets it become more before it looks.
    gathers: bool,
    /// What is there is not to wait for more.
    urgent: bool,
}

/// Whether more is about to be appended that can be made durable together with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    Nothing,
    /// Whoever appends calls [`hasten`](crate::Journal::hasten) behind it.
    More,
}

/// Counted when all of it is there, or when the author of one more has panicked.
struct Appended<'a> {
    queue: &'a Queue,
    bytes: u64,
}

impl Drop for Appended<'_> {
    fn drop(&mut self) {
        self.queue.unwritten.fetch_add(self.bytes, Ordering::Relaxed);
        self.queue.since_snapshot.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes for which the committer is woken while it lets a batch gather.
const ENOUGH: usize = 1 << 20;

/// Why the committer is woken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// There is a batch, or something is due.
    Work,
    /// Somebody says that there may be room.
    Look,
    /// There is a last batch, possibly empty.
    Close,
}

impl Queue {
    /// Everything up to `revision` is on disk, with `bytes` of records behind the snapshot; `full` when there was no room
    /// for the reserve.
    pub(crate) fn new(revision: u64, bytes: u64, full: bool) -> Queue {
        let pending = Pending {
            frames: Vec::new(),
            last: revision,
            closing: false,
            asked: false,
            gathers: false,
            urgent: false,
        };
        Queue {
            pending: Mutex::new(pending),
            work: Condvar::new(),
            progress: Condvar::new(),
            durable: AtomicU64::new(revision),
            unwritten: AtomicU64::new(0),
            since_snapshot: AtomicU64::new(bytes),
            full: AtomicBool::new(full),
            failure: OnceLock::new(),
        }
    }

    pub(crate) fn append(&self, revision: u64, follows: Follows, fill: impl FnOnce(&mut Vec<u8>)) {
        self.append_all(follows, std::iter::once((revision, fill)));
    }

    /// Under one lock, which costs about as much as a record.
    pub(crate) fn append_all<F: FnOnce(&mut Vec<u8>)>(
        &self,
        follows: Follows,
        records: impl Iterator<Item = (u64, F)>,
    ) {
        let mut pending = self.pending.lock();
        let mut appended = Appended { queue: self, bytes: 0 };
        for (revision, fill) in records {
            assert!(revision > pending.last, "revision {revision} is appended after {}", pending.last);
            pending.last = revision;
            if self.failure.get().is_none() {
                let mut draft = Draft::begin(&mut pending.frames, revision);
                fill(draft.payload());
                appended.bytes += draft.finish() as u64;
            }
        }
        if appended.bytes == 0 {
            return;
        }
        drop(appended);
        let enough = pending.frames.len() >= ENOUGH;
        pending.urgent |= enough || follows == Follows::Nothing;
        if enough || (pending.urgent && !pending.gathers) {
            self.work.notify_one();
        }
    }

    /// What is appended waits for nothing more.
    pub(crate) fn hasten(&self) {
        self.hasten_with(&mut self.pending.lock());
    }

    fn hasten_with(&self, pending: &mut Pending) {
        if !pending.frames.is_empty() && !pending.urgent {
            pending.urgent = true;
            self.work.notify_one();
        }
    }

    /// Gives what is appended to an empty `batch`, as soon as some of it is urgent, or something is `due`. A batch that
    /// still waits for room gets nothing, but when the queue is closed: then it gets all. Before `earliest` only much is
    /// something: to wake the committer for each record costs those who append more than the record itself.
    pub(crate) fn take(&self, batch: &mut Vec<u8>, due: Option<Instant>, earliest: Option<Instant>) -> Wake {
        let mut pending = self.pending.lock();
        if let Some(earliest) = earliest {
            self.gather(&mut pending, earliest);
        }
        let waits = !batch.is_empty();
        while (!pending.urgent || waits) && !pending.closing && !pending.asked {
            match due {
                None => self.work.wait(&mut pending),
                Some(due) if self.work.wait_until(&mut pending, due).timed_out() => break,
                Some(_) => {}
            }
        }
        pending.hand_over(batch)
    }

    fn gather(&self, pending: &mut MutexGuard<'_, Pending>, until: Instant) {
        pending.gathers = true;
        while pending.frames.len() < ENOUGH && !pending.closing && !pending.asked {
            if self.work.wait_until(pending, until).timed_out() {
                break;
            }
        }
        pending.gathers = false;
    }

    pub(crate) fn written(&self, bytes: u64) {
        self.unwritten.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn unwritten(&self) -> u64 {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// Has the committer look for room now.
    pub(crate) fn ask_for_room(&self) {
        self.pending.lock().asked = true;
        self.work.notify_one();
    }

    pub(crate) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Release);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Everything up to `revision` is on disk. Returns whether that is news.
    pub(crate) fn advance(&self, revision: u64) -> bool {
        let before = self.durable.fetch_max(revision, Ordering::AcqRel);
        self.announce(self.pending.lock());
        revision > before
    }

    pub(crate) fn fail(&self, error: JournalError) {
        let _ = self.failure.set(error);
        let mut pending = self.pending.lock();
        (pending.frames, pending.urgent) = (Vec::new(), false);
        self.unwritten.store(0, Ordering::Relaxed);
        self.announce(pending);
    }

    /// Those who wait check under the lock; whoever changes what they wait for takes it once, so that none sleeps past it.
    fn announce(&self, pending: MutexGuard<'_, Pending>) {
        drop(pending);
        self.progress.notify_all();
    }

    pub(crate) fn close(&self) {
        self.pending.lock().closing = true;
        self.work.notify_one();
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(crate) fn failure(&self) -> Option<&JournalError> {
        self.failure.get()
    }

    pub(crate) fn wait_durable(&self, revision: u64) -> Result<(), JournalError> {
        let mut pending = self.pending.lock();
        self.hasten_with(&mut pending);
        while self.durable() < revision {
            if let Some(error) = self.failure() {
                return Err(error.clone());
            }
            self.progress.wait(&mut pending);
        }
        Ok(())
    }

    /// The highest revision appended.
    pub(crate) fn last(&self) -> u64 {
        self.pending.lock().last
    }

    /// A snapshot of `revision` stands, whether or not records led there.
    pub(crate) fn skip_to(&self, revision: u64) {
        let mut pending = self.pending.lock();
        pending.last = pending.last.max(revision);
        self.durable.fetch_max(revision, Ordering::AcqRel);
    }

    pub(crate) fn since_snapshot(&self) -> u64 {
        self.since_snapshot.load(Ordering::Relaxed)
    }

    /// A new snapshot covers `bytes` of what was appended.
    pub(crate) fn covered(&self, bytes: u64) {
        self.since_snapshot.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Pending {
    fn hand_over(&mut self, batch: &mut Vec<u8>) -> Wake {
        let asked = std::mem::take(&mut self.asked);
        if batch.is_empty() {
            std::mem::swap(&mut self.frames, batch);
            self.urgent = false;
        } else if self.closing {
            batch.append(&mut self.frames);
        }
        match (self.closing, asked) {
            (true, _) => Wake::Close,
            (false, true) => Wake::Look,
            (false, false) => Wake::Work,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn taken(queue: &Queue, earliest: Instant) -> usize {
        let mut batch = Vec::new();
        assert!(queue.take(&mut batch, None, Some(earliest)) == Wake::Work);
        batch.len()
    }

    #[test]
    fn little_gathers_until_its_time_and_much_is_taken_at_once() {
        let queue = Queue::new(0, 0, false);
        queue.append(1, Follows::Nothing, |buffer| buffer.push(1));
        let earliest = Instant::now() + Duration::from_millis(20);
        assert!(taken(&queue, earliest) > 0 && Instant::now() >= earliest);
        let never = Instant::now() + Duration::from_secs(3600);
        std::thread::scope(|scope| {
            scope.spawn(|| queue.append(2, Follows::More, |buffer| buffer.resize(buffer.len() + ENOUGH, 0)));
            assert!(taken(&queue, never) >= ENOUGH);
        });
        queue.append(3, Follows::Nothing, |buffer| buffer.push(3));
        queue.close();
        assert!(queue.take(&mut Vec::new(), None, Some(never)) == Wake::Close);
    }

    #[test]
    fn records_that_come_together_are_counted_as_if_each_came_alone_and_without_the_one_that_panics() {
        let fill = |bytes: usize| {
            move |buffer: &mut Vec<u8>| {
                assert!(bytes < 9, "the author panics");
                buffer.resize(buffer.len() + bytes, 7);
            }
        };
        let alone = Queue::new(0, 5, false);
        (1..=3).for_each(|n| alone.append(n, Follows::Nothing, fill(n as usize)));
        let together = Queue::new(0, 5, false);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let records = [(1, 1), (2, 2), (3, 3), (4, 9)];
            together.append_all(Follows::Nothing, records.map(|(n, bytes)| (n, fill(bytes))).into_iter());
        }));
        assert!(panicked.is_err());
        together.append_all(Follows::Nothing, std::iter::empty::<(u64, fn(&mut Vec<u8>))>());
        assert_eq!(together.pending.lock().frames, alone.pending.lock().frames);
        assert_eq!(together.unwritten(), alone.unwritten());
        assert_eq!(together.since_snapshot(), alone.since_snapshot());
    }

    #[test]
    fn what_is_followed_by_more_waits_for_it_until_somebody_hastens_or_waits() {
        let queue = Queue::new(0, 0, false);
        let take = || {
            let mut batch = Vec::new();
            assert!(queue.take(&mut batch, None, None) == Wake::Work);
            batch.len()
        };
        queue.hasten();
        queue.append(1, Follows::More, |buffer| buffer.push(1));
        let one = queue.unwritten() as usize;
        assert!(!queue.pending.lock().urgent);
        queue.append(2, Follows::More, |buffer| buffer.push(2));
        queue.hasten();
        assert_eq!(take(), 2 * one);
        assert!(!queue.pending.lock().urgent);
        queue.append(3, Follows::More, |buffer| buffer.push(3));
        queue.append(4, Follows::Nothing, |buffer| buffer.push(4));
        assert_eq!(take(), 2 * one);
        queue.append(5, Follows::More, |buffer| buffer.push(5));
        std::thread::scope(|scope| {
            scope.spawn(|| queue.wait_durable(5));
            assert_eq!(take(), one);
            queue.advance(5);
        });
    }
}
