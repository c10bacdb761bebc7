//! The handle, and the lock behind it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use adsum_catalog::Catalog;
use adsum_journal::{ClusterId, Durability, Follows, Journal, JournalError, Locked};
use adsum_keyspace::{Garbage, Now, Space, TooBig, Transaction, encode_commit};
use adsum_model::Revision;
use adsum_resp::{Overseer, Server};
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::watch;

use crate::clock::Clocks;
use crate::room::Room;
use crate::timer::Snapshots;
use crate::visible::{Level, Visible, breaks_a_lock};
use crate::{Directory, HistoryOf, OpenError, Options, Watch, recovery, timer};

/// Records that wait for the disk, in bytes, from which on writers wait for it as well.
const JOURNAL_QUEUE: u64 = 64 * 1024 * 1024;

/// How long somebody waits for the lock before they look whether a script has it.
const LOOK_ROUND: Duration = Duration::from_millis(10);

/// A handle on the one keyspace of this process. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    /// Rung when the next deadline may have come nearer.
    pub(crate) alarm: Condvar,
    pub(crate) journal: Journal,
    /// Of the journal.
    pub(crate) dir: PathBuf,
    room: Room,
    /// Held while a snapshot is written for somebody to read.
    pub(crate) exporting: Arc<tokio::sync::Mutex<()>>,
    durability: Durability,
    visible: Arc<Visible>,
    failure: Arc<watch::Sender<Option<JournalError>>>,
    directory: Directory,
    pub(crate) closing: AtomicBool,
    /// Of the script that runs, while it holds the lock.
    overseer: Arc<Overseer>,
    reaper: Sender<Vec<Garbage>>,
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
    full: bool,
}

/// A script has been running for so long that nobody is to wait for it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a script has been running for a while: it ends within seconds, or at once by SCRIPT KILL")]
pub struct Busy;

/// The engine can make nothing durable any more. What is in memory must not be relied on.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the journal has failed, nothing is acknowledged any more")]
pub struct Failed(#[source] Option<JournalError>);

/// Why a transaction has not been made durable.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotCommitted {
    #[error(transparent)]
    Failed(#[from] Failed),
    /// Nothing of it is left.
    #[error(transparent)]
    TooBig(#[from] TooBig),
}

impl Failed {
    /// Seen from where the reason is not known.
    pub(crate) fn unknown() -> Failed {
        Failed(None)
    }
}

impl Store {
    /// Opens the directory, recovers what it holds, and starts the journal's and the timer's threads. The directory's
    /// view is kept up by a task of the runtime in whose context this is called.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn open(options: Options) -> Result<Store, OpenError> {
        let locked = Store::lock(&options.dir)?;
        Store::open_locked(locked, options)
    }

    /// Makes the directory this process's own, and does not read it yet.
    pub fn lock(dir: &Path) -> Result<Locked, OpenError> {
        Ok(adsum_journal::lock(dir)?)
    }

    /// As [`Store::open`], of a directory that was [locked](Store::lock) before.
    ///
    /// # Panics
    /// As [`Store::open`].
    pub fn open_locked(locked: Locked, options: Options) -> Result<Store, OpenError> {
        let visible = Arc::<Visible>::default();
        let failure = Arc::new(watch::Sender::new(None));
        let room = Room::new(&options.dir);
        let (journal, recovered) = locked.open(adsum_journal::Options {
            durability: options.durability,
            on_durable: on_durable(&visible),
            on_failure: on_failure(&visible, &failure),
            on_space: room.on_space(),
            ..adsum_journal::Options::new(&options.dir, new_cluster()?)
        })?;
        if let Some(torn) = &recovered.torn {
            tracing::warn!(file = %torn.file.display(), offset = torn.offset, bytes = torn.bytes,
                kept_as = %torn.kept_as.display(), "the torn end of the journal was cut");
        }
        let clean = recovered.clean;
        let (mut keyspace, then) = recovery::rebuild(recovered)?;
        let (revision, mut clocks) = (keyspace.revision(), Clocks::from_tick(then.tick));
        let directory = Directory::load(&keyspace);
        if let Some(commit) = recovery::settle(&mut keyspace, clean, options.durability, clocks.read()) {
            journal.append_with(commit.revision.0, |buffer| encode_commit(&commit, buffer));
            journal.wait_durable(commit.revision.0).map_err(OpenError::Begin)?;
        }
        visible.begin(keyspace.revision());
        let about = adsum_resp::About { started: clocks.read(), ..options.about };
        let mut server = Server::new(keyspace, about);
        let started = Instant::now();
        let overseer = Arc::new(Overseer::new(move || started.elapsed()));
        server.oversee_scripts(overseer.clone());
        let store = Store {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    server,
                    clocks,
                    marked: then.tick,
                    snapshots: Snapshots::default(),
                    armed: u64::MAX,
                    full: false,
                }),
                alarm: Condvar::new(),
                journal,
                dir: options.dir,
                room,
                exporting: Arc::default(),
                durability: options.durability,
                visible,
                failure,
                directory,
                closing: AtomicBool::new(false),
                overseer,
                reaper: start_reaper()?,
            }),
        };
        store.complete();
        timer::start(&store).map_err(OpenError::Thread)?;
        tokio::spawn(store.directory().clone().follow(store.watch(Space::System, revision)));
        Ok(store)
    }

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

/// A panic half-way through a change has left memory that the journal does not know. Nobody is to see that: the process
/// ends, and the next one begins with what was acknowledged.
fn end_tainted() -> ! {
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

impl Shared {
    /// Lets the journal get on with what it has, when that is more than it should have.
    fn wait_for_the_disk(&self) {
        // Of a full disk nobody waits for room here: what takes some is refused, the others' replies wait.
        if self.journal.pending_bytes() <= JOURNAL_QUEUE || self.room.is_full() {
            return;
        }
        let last = self.state.lock().server.keyspace().revision();
        // A failed journal shows at the caller's own wait.
        let _ = self.journal.wait_durable((self.journal.durable() + 1).min(last.0));
    }

    fn release(&self) -> Result<(), JournalError> {
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

fn on_durable(visible: &Arc<Visible>) -> Box<dyn Fn(u64) + Send> {
    let visible = visible.clone();
    Box::new(move |revision| visible.raise(Revision(revision)))
}

/// Frees what is no longer needed, so that the writer need not.
fn start_reaper() -> Result<Sender<Vec<Garbage>>, OpenError> {
    let (sender, receiver) = channel::<Vec<Garbage>>();
    let reap = move || receiver.into_iter().for_each(drop);
    std::thread::Builder::new().name("adsum-reaper".to_string()).spawn(reap).map_err(OpenError::Thread)?;
    Ok(sender)
}

/// Wakes whoever waits, so that they see the failure.
fn on_failure(
    visible: &Arc<Visible>,
    failure: &Arc<watch::Sender<Option<JournalError>>>,
) -> Box<dyn Fn(&JournalError) + Send> {
    let (visible, failure) = (visible.clone(), failure.clone());
    Box::new(move |error| {
        failure.send_replace(Some(error.clone()));
        visible.wake();
    })
}

fn new_cluster() -> Result<ClusterId, OpenError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(OpenError::Random)?;
    Ok(ClusterId(id))
}
