//! What the handles of a store share: the state and its lock, the journal, and how what was committed gets from the one
//! to the other.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;

use adsum_journal::{Durability, Follows, Journal, JournalError};
use adsum_keyspace::{Garbage, Now, encode_commit};
use adsum_resp::{Overseer, Server};
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use crate::Directory;
use crate::clock::Clocks;
use crate::room::Room;
use crate::timer::Snapshots;
use crate::visible::Visible;

/// Records that wait for the disk, in bytes, from which on writers wait for it as well.
const JOURNAL_QUEUE: u64 = 64 * 1024 * 1024;

pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    /// Rung when the next deadline may have come nearer.
    pub(crate) alarm: Condvar,
    pub(crate) journal: Journal,
    /// Of the journal.
    pub(crate) dir: PathBuf,
    pub(crate) room: Room,
    /// Held while a snapshot is written for somebody to read.
    pub(crate) exporting: Arc<tokio::sync::Mutex<()>>,
    pub(crate) durability: Durability,
    pub(crate) visible: Arc<Visible>,
    pub(crate) failure: Arc<watch::Sender<Option<JournalError>>>,
    pub(crate) directory: Directory,
    pub(crate) closing: AtomicBool,
    /// Of the script that runs, while it holds the lock.
    pub(crate) overseer: Arc<Overseer>,
    pub(crate) reaper: Sender<Vec<Garbage>>,
}

pub(crate) struct State {
    pub(crate) server: Server,
    pub(crate) clocks: Clocks,
    /// The tick of the last commit: from where the clock would go on after a restart.
    pub(crate) marked: u64,
    pub(crate) snapshots: Snapshots,
    /// The tick for which the timer is set.
    pub(crate) armed: u64,
    /// Whether the server refuses what grows.
    pub(crate) full: bool,
}

impl Shared {
    /// Lets the journal get on with what it has, when that is more than it should have.
    pub(crate) fn wait_for_the_disk(&self) {
        // Of a full disk nobody waits for room here: what takes some is refused, the others' replies wait.
        if self.journal.pending_bytes() <= JOURNAL_QUEUE || self.room.is_full() {
            return;
        }
        let last = self.state.lock().server.keyspace().revision();
        // A failed journal shows at the caller's own wait.
        let _ = self.journal.wait_durable((self.journal.durable() + 1).min(last.0));
    }

    pub(crate) fn release(&self) -> Result<(), JournalError> {
        let ended = {
            // So that no commit comes between the journal's end and the moment from which on it shows.
            let _state = self.state.lock();
            self.journal.end()
        };
        self.failure.send_replace(self.journal.failed());
        self.visible.wake();
        // A snapshot that is being written may take a while, which concerns nobody who holds the lock above.
        ended.and(self.journal.release())
    }

    /// Gives the journal what was committed, sets the timer to what has become due first, and lets go of what was
    /// emptied outside of the lock's time.
    pub(crate) fn hand_over(&self, state: &mut State, now: Now, follows: Follows) {
        let _whole = AbortOnPanic;
        // With a sync now and then nobody hastens, as nobody waits.
        let follows = if self.durability == Durability::Always { follows } else { Follows::Nothing };
        if state.server.has_commits() {
            let marked = &mut state.marked;
            let records = state.server.take_commits().map(|commit| {
                // Noted first: the journal may have it on disk before it returns.
                self.visible.note(&commit);
                *marked = commit.now.tick;
                (commit.revision.0, move |buffer: &mut Vec<u8>| encode_commit(&commit, buffer))
            });
            self.journal.append_all(follows, records);
        }
        // On a full disk a second may become any time, and in a journal that has ended for ever: nothing is promised then
        // that is not written.
        let is_written_soon = !self.journal.is_full() && self.journal.failed().is_none();
        if self.durability == Durability::EverySecond && is_written_soon {
            self.visible.raise(state.server.keyspace().revision());
        }
        let due = state.server.keyspace().next_deadline(now).map_or(u64::MAX, |rest| now.tick + rest);
        if due < state.armed {
            state.armed = due;
            self.alarm.notify_all();
        }
        let garbage = state.server.take_garbage();
        if !garbage.is_empty() {
            // The reaper ends with the store; without it they are dropped here.
            let _ = self.reaper.send(garbage);
        }
    }
}

/// A panic half-way through a change has left memory that the journal does not know. Nobody is to see that: the process
/// ends, and the next one begins with what was acknowledged.
pub(crate) fn end_tainted() -> ! {
    tracing::error!("a panic within a transaction that had changed something: the process ends");
    std::process::abort()
}

/// The same for a commit that the journal does not get.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            end_tainted();
        }
    }
}
