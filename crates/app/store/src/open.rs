//! How a store comes to be: its directory is locked, what is found there becomes a keyspace, and what runs by itself
//! starts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use adsum_journal::{ClusterId, JournalError, Locked};
use adsum_keyspace::{Garbage, Space, encode_commit};
use adsum_model::Revision;
use adsum_resp::{Overseer, Server};
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use crate::clock::Clocks;
use crate::room::Room;
use crate::shared::{Shared, State};
use crate::timer::Snapshots;
use crate::visible::Visible;
use crate::{Directory, OpenError, Options, Store, recovery, timer};

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
}

fn on_durable(visible: &Arc<Visible>) -> Box<dyn Fn(u64) + Send> {
    let visible = visible.clone();
    Box::new(move |revision| visible.raise(Revision(revision)))
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

/// Frees what is no longer needed, so that the writer need not.
fn start_reaper() -> Result<Sender<Vec<Garbage>>, OpenError> {
    let (sender, receiver) = channel::<Vec<Garbage>>();
    let reap = move || receiver.into_iter().for_each(drop);
    std::thread::Builder::new().name("adsum-reaper".to_string()).spawn(reap).map_err(OpenError::Thread)?;
    Ok(sender)
}

fn new_cluster() -> Result<ClusterId, OpenError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(OpenError::Random)?;
    Ok(ClusterId(id))
}
