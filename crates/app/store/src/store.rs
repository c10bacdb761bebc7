//! The handle: what is done with a store.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use adsum_catalog::Catalog;
use adsum_journal::{Durability, Follows};
use adsum_keyspace::{Now, Space, TooBig, Transaction};
use adsum_model::Revision;
use adsum_resp::{Overseer, Server};
use parking_lot::MutexGuard;

use crate::shared::{Shared, State, end_tainted};
use crate::visible::{Level, breaks_a_lock};
use crate::{Busy, Directory, Failed, HistoryOf, NotCommitted, Watch};

/// How long somebody waits for the lock before they look whether a script has it.
const LOOK_ROUND: Duration = Duration::from_millis(10);

/// A handle on the one keyspace of this process. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
}

impl Store {
    /// Runs `body` in the critical section, with one `now` and with what is due already expired. What it commits is
    /// with the journal when this returns, and visible once [`Store::durable`] says so.
    pub fn enter<T>(&self, body: impl FnOnce(&mut Server, Now) -> T) -> T {
        self.shared.wait_for_the_disk();
        self.enter_with(self.shared.state.lock(), Follows::Nothing, body)
    }

    /// The same, unless a script holds everybody up. Whoever calls this calls [`Store::hasten`] when nothing follows that can
    /// be made durable together with what was committed.
    pub fn try_enter<T>(&self, body: impl FnOnce(&mut Server, Now) -> T) -> Result<T, Busy> {
        let shared = &*self.shared;
        loop {
            if shared.overseer.is_busy() {
                return Err(Busy);
            }
            shared.wait_for_the_disk();
            if let Some(state) = shared.state.try_lock_for(LOOK_ROUND) {
                return Ok(self.enter_with(state, Follows::More, body));
            }
        }
    }

    /// Nothing follows what was committed by [`Store::try_enter`].
    pub fn hasten(&self) {
        if self.shared.durability == Durability::Always {
            self.shared.journal.hasten();
        }
    }

    /// What is known of the script that runs.
    pub fn overseer(&self) -> &Overseer {
        &self.shared.overseer
    }

    fn enter_with<T>(
        &self,
        mut state: MutexGuard<'_, State>,
        mut follows: Follows,
        body: impl FnOnce(&mut Server, Now) -> T,
    ) -> T {
        let shared = &*self.shared;
        let now = state.clocks.read();
        if state.full != shared.room.is_full() {
            let reason = shared.room.reason();
            state.full = reason.is_some();
            state.server.refuse_growth(reason);
        }
        let entered = catch_unwind(AssertUnwindSafe(|| {
            state.server.expire(now);
            if state.server.has_commits() {
                // Whoever follows those is not known to the caller.
                follows = Follows::Nothing;
            }
            body(&mut state.server, now)
        }));
        shared.hand_over(&mut state, now, follows);
        match entered {
            Ok(reply) => reply,
            Err(_) if state.server.keyspace().is_tainted() => end_tainted(),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// A transaction of any face but RESP. Nothing of it may leave before its revision is durable.
    ///
    /// # Panics
    /// When it changes more than a transaction may: for those whose size no client decides.
    pub fn transact<T>(&self, body: impl FnOnce(&mut Transaction<'_>) -> T) -> (T, Revision) {
        self.try_transact(body).expect("our own transactions are far within the limit")
    }

    fn try_transact<T>(&self, body: impl FnOnce(&mut Transaction<'_>) -> T) -> Result<(T, Revision), TooBig> {
        self.enter(|server, now| Ok((server.transact(now, body)?, server.keyspace().revision())))
    }

    /// A transaction, and the wait until it is durable.
    ///
    /// # Panics
    /// As [`Store::transact`].
    pub async fn commit<T>(&self, body: impl FnOnce(&mut Transaction<'_>) -> T) -> Result<T, Failed> {
        let (reply, revision) = self.transact(body);
        self.durable(revision).await?;
        Ok(reply)
    }

    /// The same for a transaction whose size a client decides.
    pub async fn try_commit<T>(
        &self,
        body: impl FnOnce(&mut Transaction<'_>) -> T,
    ) -> Result<T, NotCommitted> {
        let (reply, revision) = self.try_transact(body)?;
        self.durable(revision).await?;
        Ok(reply)
    }

    /// Waits until everything up to `revision` may leave the process.
    pub async fn durable(&self, revision: Revision) -> Result<(), Failed> {
        if self.durable_revision() < revision {
            // It may be of a client's turn that is not over.
            self.hasten();
        }
        self.visible(Space::User).until(|visible| visible >= revision || self.has_failed()).await;
        if self.has_failed() { Err(self.failed()) } else { Ok(()) }
    }

    /// Up to which revision everything may leave the process.
    pub fn durable_revision(&self) -> Revision {
        self.shared.visible.revision()
    }

    pub fn durability(&self) -> Durability {
        self.shared.durability
    }

    /// Everything in a space after `after`, in order and without a gap.
    pub fn watch(&self, space: Space, after: Revision) -> Watch {
        Watch::new(self.clone(), space, after)
    }

    pub fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    /// Names the data, in 32 hexadecimal digits; the same for its whole life.
    pub fn cluster(&self) -> String {
        self.shared.journal.cluster().to_string()
    }

    /// Why nothing that takes room can be written at the moment: the disk is full.
    pub fn refuses_growth(&self) -> Option<Arc<str>> {
        self.shared.room.reason()
    }

    /// Waits until a lock has been broken after `seen`: deleted by another client than its holder.
    pub async fn lock_broken(&self, seen: Revision) -> Result<(), Failed> {
        let mut broken = self.shared.visible.broken();
        // An error means that the store has gone.
        broken.wait_for(|revision| *revision > seen).await.map(drop).map_err(|_| self.failed())
    }

    /// The locks that were broken after `after`, as far as the history reaches.
    pub async fn broken_locks(&self, after: Revision) -> Result<HistoryOf, Failed> {
        self.history(Space::User, after, usize::MAX, breaks_a_lock).await
    }

    /// The catalog with everything that was committed before this call.
    pub async fn catalog(&self) -> Result<Arc<Catalog>, Failed> {
        // Taken under the lock, behind which every commit is noted.
        let revision = {
            let _state = self.shared.state.lock();
            self.shared.visible.last_of_system()
        };
        self.directory().at(revision).await
    }

    pub fn now(&self) -> Now {
        self.shared.state.lock().clocks.read()
    }

    /// Ends when the engine can make nothing durable any more.
    pub async fn until_failed(&self) -> Failed {
        let mut failure = self.shared.failure.subscribe();
        // An error means that the store has gone, and with it the failure that is waited for.
        let _ = failure.wait_for(Option::is_some).await;
        self.failed()
    }

    /// Stops what runs by itself, so that the journal is closed with the last handle.
    pub fn close(&self) {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.alarm.notify_all();
        self.shared.visible.wake();
    }

    /// Waits until all that was committed is on disk, with `everysec` too, and visible.
    pub async fn flush(&self) -> Result<(), Failed> {
        let shared = self.shared.clone();
        let revision = shared.state.lock().server.keyspace().revision();
        let synced = tokio::task::spawn_blocking(move || shared.journal.wait_durable(revision.0)).await;
        synced.unwrap_or(Ok(())).map_err(|error| Failed(Some(error)))?;
        // The journal knows a moment before those who look at what is visible.
        self.durable(revision).await
    }

    /// Brings everything to disk and closes the journal, so that the next start knows that this was the end. Whatever is
    /// committed after that is lost.
    pub async fn end(&self) -> Result<(), Failed> {
        let shared = self.shared.clone();
        let ended = tokio::task::spawn_blocking(move || shared.journal.end()).await;
        ended.unwrap_or(Ok(())).map_err(|error| Failed(Some(error)))
    }

    /// As [`Store::end`], and lets another process have the directory, though this store still has handles. Whoever waits
    /// for something is told that it will not come; what is committed after that is lost, and never acknowledged.
    pub async fn release(&self) -> Result<(), Failed> {
        self.close();
        let shared = self.shared.clone();
        let released = tokio::task::spawn_blocking(move || shared.release()).await;
        released.unwrap_or(Ok(())).map_err(|error| Failed(Some(error)))
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.shared.closing.load(Ordering::Acquire)
    }

    /// Rises with what is visible of a space.
    pub(crate) fn visible(&self, space: Space) -> &Level {
        self.shared.visible.of(space)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.shared.failure.borrow().is_some()
    }

    pub(crate) fn failed(&self) -> Failed {
        Failed(self.shared.failure.borrow().clone())
    }
}
