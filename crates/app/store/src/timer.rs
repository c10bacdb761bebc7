//! The thread that wakes when something is due.
//!
//! It expires keys at their time, reads the clock often enough for a stall to be told from idleness, marks the clock
//! in the journal while TTLs run, and starts a snapshot when the journal has grown.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use adsum_journal::Follows;
use adsum_keyspace::{Now, Snapshot};

use crate::Store;
use crate::shared::{Shared, State};

/// Between two readings of the clock at most: under half of what counts as a stall.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// By how much a crash may lengthen a TTL while nothing else is written. Milliseconds.
const CLOCK_MARK: u64 = 30_000;
/// Bytes of journal since the last snapshot from which on the next is written.
/// With more keys it is as much as the last snapshot has: so a start reads about as much again as the keys take, and what
/// is written for snapshots is about as much as is written for records.
const SNAPSHOT: u64 = 32 * 1024 * 1024;
/// The same while the disk is full.
const SNAPSHOT_WHEN_FULL: u64 = 64 * 1024;
/// Between a snapshot that could not be written and the next attempt. Milliseconds.
const PAUSE: u64 = 60_000;
/// The same while the disk is full, where whoever has deleted something waits for it: after the first attempt, and at most.
/// It doubles, since an attempt takes for a moment the room that deletions are written to.
const PAUSES_WHEN_FULL: [u64; 2] = [2_000, 16_000];

/// Where the writing of snapshots stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Snapshots {
    #[default]
    Resting,
    Writing,
    /// At this tick, so many times in a row.
    Failed {
        at: u64,
        times: u32,
    },
}

impl Snapshots {
    fn is_due(self, now: Now, full: bool) -> bool {
        match self {
            Snapshots::Resting => true,
            Snapshots::Writing => false,
            Snapshots::Failed { at, times } if full => {
                let [first, most] = PAUSES_WHEN_FULL;
                now.tick >= at + first.saturating_mul(1 << times.saturating_sub(1).min(10)).min(most)
            }
            Snapshots::Failed { at, times: _ } => now.tick >= at + PAUSE,
        }
    }

    fn failed(self, now: Now) -> Snapshots {
        let before = if let Snapshots::Failed { at: _, times } = self { times } else { 0 };
        Snapshots::Failed { at: now.tick, times: before.saturating_add(1) }
    }
}

/// Starts the thread. It holds the store weakly, and ends with it.
pub(crate) fn start(store: &Store) -> Result<(), std::io::Error> {
    let shared = Arc::downgrade(&store.shared);
    std::thread::Builder::new().name("adsum-timer".to_string()).spawn(move || run(&shared))?;
    Ok(())
}

fn run(shared: &Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        if shared.closing.load(Ordering::Acquire) {
            return;
        }
        turn(&shared);
    }
}

/// One sleep, and what is due after it.
fn turn(shared: &Arc<Shared>) {
    let mut state = shared.state.lock();
    let now = state.clocks.read();
    expire(shared, &mut state, now);
    mark(shared, &mut state, now);
    // What somebody has committed who has gone without a word.
    shared.journal.hasten();
    snapshot(shared, &mut state, now);
    let rest = state.server.keyspace().next_deadline(now);
    state.armed = rest.map_or(u64::MAX, |rest| now.tick + rest);
    let sleep = rest.map_or(HEARTBEAT, |rest| Duration::from_millis(rest).min(HEARTBEAT));
    if !sleep.is_zero() {
        shared.alarm.wait_for(&mut state, sleep);
    }
}

fn expire(shared: &Shared, state: &mut State, now: Now) {
    state.server.expire(now);
    shared.hand_over(state, now, Follows::Nothing);
}

fn mark(shared: &Shared, state: &mut State, now: Now) {
    if state.server.keyspace().wants_clock_mark() && now.tick.saturating_sub(state.marked) >= CLOCK_MARK {
        state.server.mark_clock(now);
        shared.hand_over(state, now, Follows::Nothing);
    }
}

/// Writes a snapshot on a thread of its own when there is enough to make it worth while. The keyspace is taken as of
/// now, which costs nothing; one snapshot at a time, and a pause after one that could not be written. On a full disk
/// little is enough: with the snapshot go the records of what was deleted.
fn snapshot(shared: &Arc<Shared>, state: &mut State, now: Now) {
    let journal = &shared.journal;
    let enough = if journal.is_full() {
        SNAPSHOT_WHEN_FULL
    } else {
        let last = journal.snapshot().map_or(0, |snapshot| snapshot.bytes);
        adsum_journal::points::size("ADSUM_SNAPSHOT_BYTES", SNAPSHOT).max(last)
    };
    if !state.snapshots.is_due(now, journal.is_full()) || journal.segment_bytes_since_snapshot() < enough {
        return;
    }
    let before = std::mem::replace(&mut state.snapshots, Snapshots::Writing);
    let snapshot = state.server.keyspace().snapshot(now);
    let writer = shared.clone();
    let write = move || {
        // Whatever becomes of it, there is to be a next one.
        let is_enough = catch_unwind(AssertUnwindSafe(|| write(&writer, snapshot))).unwrap_or(false);
        let mut state = writer.state.lock();
        let now = state.clocks.read();
        state.snapshots = if is_enough { Snapshots::Resting } else { before.failed(now) };
    };
    if let Err(error) = std::thread::Builder::new().name("adsum-snapshot".to_string()).spawn(write) {
        tracing::error!(%error, "no thread for a snapshot, the next is tried in a minute");
        state.snapshots = before.failed(now);
    }
}

/// Whether there is one now, and what was to be gained by it was gained.
fn write(shared: &Shared, snapshot: Snapshot) -> bool {
    let revision = snapshot.revision;
    match shared.journal.write_snapshot(revision.0, snapshot.into_chunks()) {
        Ok(info) => {
            tracing::info!(%revision, bytes = info.bytes, "snapshot written");
            !shared.journal.is_full()
        }
        Err(error) => {
            tracing::error!(%revision, %error, "no snapshot could be written, it is tried again");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_full_disk_a_snapshot_is_tried_again_soon_and_then_more_and_more_seldom() {
        let now = |tick| Now { tick, ..Now::default() };
        let pause =
            |snapshots: Snapshots, full| (0..).find(|tick| snapshots.is_due(now(1000 + tick * 500), full));
        let mut snapshots = Snapshots::Resting;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            snapshots = snapshots.failed(now(1000));
            pauses.push(pause(snapshots, true).unwrap() as f64 / 2.0);
        }
        assert_eq!(pauses, [2.0, 4.0, 8.0, 16.0, 16.0, 16.0]);
        assert_eq!(pause(snapshots, false), Some(120));
        assert!(!Snapshots::Writing.is_due(now(u64::MAX), true));
    }
}
