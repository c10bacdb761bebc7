//! The handle: append, ask how far the disk has come, write a snapshot, close.
//!
//! Not here: files (`log`, `snapshot`) and the thread that writes them (`committer`).

use std::{io, sync::Arc, thread, time::Instant};

use parking_lot::Mutex;

use crate::{
    committer::Committer,
    disk::{Disk, failure},
    error::{FailureKind, IoError, JournalError, OpenError, WriteError},
    header,
    kept::{self, Kept, SnapshotInfo},
    lock::Lock,
    locked,
    log::Log,
    name::{self, Name},
    options::{ClusterId, Options},
    queue::{Follows, Queue},
    recovery::{Recovered, recover},
    reserve::{self, Reserve},
    snapshot,
};

/// An open journal. Dropped or closed, it brings everything appended to disk first.
pub struct Journal {
    queue: Arc<Queue>,
    kept: Arc<Mutex<Kept>>,
    disk: Arc<dyn Disk>,
    cluster: ClusterId,
    /// Held while a snapshot is written: one at a time.
    snapshotting: Mutex<()>,
    /// Until it has ended.
    thread: Mutex<Option<thread::JoinHandle<()>>>,
    /// Until it is given up.
    lock: Mutex<Option<Lock>>,
}

/// Opens the directory, locks it for life, and finds what it holds. The records are read by the caller, from
/// [`Recovered`]. Nothing but an interrupted, never acknowledged write at the very end is cut; everything else that is
/// not as it was written refuses the start.
pub fn open(options: Options) -> Result<(Journal, Recovered), OpenError> {
    locked::lock(&options.dir)?.open(options)
}

pub(crate) fn open_on(
    disk: Arc<dyn Disk>,
    lock: Option<Lock>,
    options: Options,
) -> Result<(Journal, Recovered), OpenError> {
    let mut reserve = Reserve::new(disk.clone(), options.reserve_bytes);
    let (mut log, recovered) = recover_on_a_full_disk(&disk, &options)?;
    let kept = log.kept.clone();
    log.thrifty = !reserve.take().map_err(|e| failure(&*disk, reserve::NAME, "making", e))?;
    let behind = bytes_behind_snapshot(&*disk, &recovered, log.offset)
        .map_err(|e| failure(&*disk, "", "measuring", e))?;
    let queue = Arc::new(Queue::new(recovered.revision, behind, log.thrifty));
    let committer = Committer {
        queue: queue.clone(),
        log,
        reserve,
        interval: options.durability.interval(),
        // Nothing was synced lately: the first commit is not to wait.
        next_sync: Instant::now(),
        next_look: Instant::now(),
        on_durable: options.on_durable,
        on_failure: options.on_failure,
        on_space: options.on_space,
    };
    let thread = thread::Builder::new().name("journal".to_owned()).spawn(|| committer.run());
    let thread = thread.map_err(|error| failure(&*disk, "", "starting the thread for", error))?;
    let thread = Mutex::new(Some(thread));
    let (cluster, snapshotting, lock) = (recovered.cluster, Mutex::default(), Mutex::new(lock));
    Ok((Journal { queue, kept, disk, cluster, snapshotting, thread, lock }, recovered))
}

/// What a recovery writes, a copy of a torn tail or a first segment, may use the reserve that the last process left.
fn recover_on_a_full_disk(disk: &Arc<dyn Disk>, options: &Options) -> Result<(Log, Recovered), OpenError> {
    match recover(disk.clone(), options) {
        Err(OpenError::Io(error)) if error.is_no_room() && disk.remove(reserve::NAME).is_ok() => {
            recover(disk.clone(), options)
        }
        recovered => recovered,
    }
}

impl Journal {
    /// Appends a record. Returns at once: the record is durable when [`durable`](Journal::durable) has reached its
    /// revision. After a failure it goes nowhere.
    ///
    /// # Panics
    /// When `revision` is not above the one before, or the payload is over 256 MiB.
    pub fn append(&self, revision: u64, payload: &[u8]) {
        self.append_with(revision, |buffer| buffer.extend_from_slice(payload));
    }

    /// Appends a record that `fill` writes to the end of the buffer, which holds other records before it. Other appends
    /// wait for `fill`.
    ///
    /// # Panics
    /// As [`append`](Journal::append).
    pub fn append_with(&self, revision: u64, fill: impl FnOnce(&mut Vec<u8>)) {
        self.queue.append(revision, Follows::Nothing, fill);
    }

    /// Appends several records, each as [`append_with`](Journal::append_with) does, said whether they are to wait for more.
    ///
    /// # Panics
    /// As [`append`](Journal::append).
    pub fn append_all<F: FnOnce(&mut Vec<u8>)>(
        &self,
        follows: Follows,
        records: impl Iterator<Item = (u64, F)>,
    ) {
        self.queue.append_all(follows, records);
    }

    /// Nothing more follows what was appended. Returns at once.
    pub fn hasten(&self) {
        self.queue.hasten();
    }

    /// The highest revision that is on disk, together with all below it. Never goes back.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.queue.durable()
    }

    /// Waits until `revision`, which has been appended, is on disk.
    pub fn wait_durable(&self, revision: u64) -> Result<(), JournalError> {
        self.queue.wait_durable(revision)
    }

    /// Why nothing becomes durable any more. Final.
    #[must_use]
    pub fn failed(&self) -> Option<JournalError> {
        self.queue.failure().cloned()
    }

    /// Whether the disk is full: what is appended is paid from the reserve, and when that is used up it waits, in memory
    /// and unacknowledged. Whoever appends should let through only what makes room or must not wait, until this is false
    /// again; [`pending_bytes`](Journal::pending_bytes) tells what waits. The journal finds out by itself within 250 ms
    /// when there is room again.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.queue.is_full()
    }

    /// Has a full disk looked at now. Returns at once.
    pub fn look_for_room(&self) {
        self.queue.ask_for_room();
    }

    /// How many bytes are appended and not written yet: grows when the disk is slower than the writers, or full.
    #[must_use]
    pub fn pending_bytes(&self) -> u64 {
        self.queue.unwritten()
    }

    /// How many bytes of records a recovery would read behind the newest snapshot, about.
    #[must_use]
    pub fn segment_bytes_since_snapshot(&self) -> u64 {
        self.queue.since_snapshot()
    }

    /// The cluster that every file names.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Option<SnapshotInfo> {
        self.kept.lock().snapshot.clone()
    }

    /// Writes the state at `revision` on the calling thread, reads it back, and lets go of the snapshot before it and of
    /// the segments it covers. When an equal or newer snapshot stands already, that one is returned and nothing written.
    ///
    /// Waits until `revision` is durable. It may also be above all records appended: a restored state begins that way,
    /// and the next record is above it. `durable` follows, `on_durable` is not called for it.
    ///
    /// # Panics
    /// When a chunk is over 256 MiB.
    pub fn write_snapshot(
        &self,
        revision: u64,
        chunks: impl Iterator<Item = Vec<u8>>,
    ) -> Result<SnapshotInfo, WriteError> {
        let _one_at_a_time = self.snapshotting.lock();
        if let Some(standing) = self.snapshot().filter(|standing| standing.revision >= revision) {
            return Ok(standing);
        }
        self.failed().map_or(Ok(()), |error| Err(WriteError::Failed(error)))?;
        let behind = self.queue.since_snapshot();
        self.queue.wait_durable(revision.min(self.queue.last())).map_err(WriteError::Failed)?;
        let info =
            snapshot::write(&*self.disk, &name::snapshot(revision), self.cluster, revision, chunks.map(Ok))?;
        self.kept.lock().snapshot = Some(info.clone());
        self.queue.skip_to(revision);
        self.queue.covered(behind);
        self.forget_covered(revision)?;
        Ok(info)
    }

    /// Removes what the verified snapshot of `revision` makes superfluous, the oldest first.
    fn forget_covered(&self, revision: u64) -> Result<(), IoError> {
        kept::remove_covered(&*self.disk, &self.kept, revision)?;
        for name in self.disk.list().map_err(|error| failure(&*self.disk, "", "listing", error))? {
            if matches!(Name::parse(&name), Some(Name::Snapshot(old)) if old < revision) {
                kept::remove(&*self.disk, &name)?;
            }
        }
        self.disk.sync_dir().map_err(|error| failure(&*self.disk, "", "syncing the directory", error))
    }

    /// Brings everything appended to disk, leaves a mark that it is, and releases the directory. On a full disk, what
    /// finds no room even in the reserve is an error, and was never acknowledged.
    pub fn close(self) -> Result<(), JournalError> {
        self.end()
    }

    /// The same for a journal that others hold as well, but for the directory, which is released with the last of them.
    /// What is appended from now on goes nowhere, as after a failure. The second time it does nothing.
    pub fn end(&self) -> Result<(), JournalError> {
        let Some(thread) = self.thread.lock().take() else { return Ok(()) };
        self.queue.close();
        // The thread reports its own panics as failures.
        let _ = thread.join();
        let ended = self.failed().map_or(Ok(()), Err);
        self.queue.fail(JournalError::new(FailureKind::Closed, "the journal is closed"));
        ended
    }

    /// The same, and lets another process have the directory. Waits for a snapshot that is being written: nothing here
    /// touches the directory afterwards.
    pub fn release(&self) -> Result<(), JournalError> {
        let ended = self.end();
        let _no_snapshot = self.snapshotting.lock();
        self.lock.lock().take();
        ended
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Whoever wants to know has closed it before.
        let _ = self.end();
    }
}

/// The sizes of the segments that are to be read.
fn bytes_behind_snapshot(disk: &dyn Disk, recovered: &Recovered, newest: u64) -> io::Result<u64> {
    let mut bytes = newest.saturating_sub(header::LENGTH as u64);
    let before_newest = recovered.records.segments.len().saturating_sub(1);
    for first in recovered.records.segments.iter().take(before_newest) {
        bytes += disk.open(&name::segment(*first))?.len()?;
    }
    Ok(bytes)
}
