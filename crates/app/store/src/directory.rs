//! The catalog as everybody may see it, and who has asked for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adsum_catalog::Catalog;
use adsum_keyspace::{Database, Keyspace};
use adsum_model::{Name, Revision};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::watch::Step;
use crate::{Ended, Failed, Watch};

/// How long those who were given an address are thought to use it: longer than the longest blocking query, which asks
/// again when it is answered.
const ASKED_KEPT: Duration = Duration::from_secs(900);
/// Names remembered at most; with more, the answer is always that somebody has asked.
const ASKED_LIMIT: usize = 100_000;

/// The view that DNS, HTTP and the controllers read. It follows the store by a watch, so it never shows what is not
/// durable. Clones are the same directory.
#[derive(Clone)]
pub struct Directory {
    inner: Arc<Inner>,
}

struct Inner {
    view: ArcSwap<Catalog>,
    seen: watch::Sender<Seen>,
    /// When it began on data that was there before: who was told an address until then is not known.
    resumed: Option<Instant>,
    asked: Mutex<HashMap<Name, Instant>>,
    /// The services that somebody waits for, each with its index in the view.
    awaited: Mutex<HashMap<String, watch::Sender<Revision>>>,
}

/// How far the view is.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// It holds everything up to here.
    upto: Revision,
    /// It will not go on.
    over: bool,
}

impl Directory {
    pub(crate) fn load(keyspace: &Keyspace) -> Directory {
        let revision = keyspace.revision();
        let view = Catalog::load(keyspace.keys(Database::System), revision);
        Directory {
            inner: Arc::new(Inner {
                view: ArcSwap::from_pointee(view),
                seen: watch::Sender::new(Seen { upto: revision, over: false }),
                resumed: (revision > Revision::ZERO).then(Instant::now),
                asked: Mutex::default(),
                awaited: Mutex::default(),
            }),
        }
    }

    /// The last visible view, without waiting.
    pub fn view(&self) -> Arc<Catalog> {
        self.inner.view.load_full()
    }

    /// A view that holds everything up to `revision`.
    pub async fn at(&self, revision: Revision) -> Result<Arc<Catalog>, Failed> {
        let mut seen = self.inner.seen.subscribe();
        let seen = seen.wait_for(|seen| seen.over || seen.upto >= revision).await.map(|seen| *seen);
        match seen {
            Ok(seen) if seen.upto >= revision => Ok(self.view()),
            Ok(_) | Err(_) => Err(Failed::unknown()),
        }
    }

    /// The first view after that of revision `seen`.
    pub async fn changed(&self, seen: Revision) -> Result<Arc<Catalog>, Failed> {
        let mut receiver = self.inner.seen.subscribe();
        loop {
            let over = receiver.borrow_and_update().over;
            let view = self.view();
            if view.revision() > seen {
                return Ok(view);
            }
            if over {
                return Err(Failed::unknown());
            }
            receiver.changed().await.map_err(|_| Failed::unknown())?;
        }
    }

    /// The first view in which something of this service is newer than `seen`. Whoever waits here sleeps through what
    /// happens to all others.
    pub async fn changed_of(&self, service: &str, seen: Revision) -> Result<Arc<Catalog>, Failed> {
        let mut waiting = Waiting::of(self, service);
        loop {
            let over = self.inner.seen.borrow().over;
            let view = self.view();
            if view.index_of(service) > seen {
                return Ok(view);
            }
            if over {
                return Err(Failed::unknown());
            }
            waiting.index.changed().await.map_err(|_| Failed::unknown())?;
        }
    }

    /// Notes that addresses of the service were given to somebody, who may go on using them for a while.
    pub fn asked(&self, service: &Name) {
        let mut asked = self.inner.asked.lock();
        if asked.len() >= ASKED_LIMIT && !asked.contains_key(service) {
            asked.retain(|_, last| last.elapsed() < ASKED_KEPT);
        }
        if asked.len() < ASKED_LIMIT {
            asked.insert(service.clone(), Instant::now());
        }
    }

    /// Whether somebody may still use an address of the service that was given out.
    pub fn was_asked(&self, service: &Name) -> bool {
        if self.inner.resumed.is_some_and(|resumed| resumed.elapsed() < ASKED_KEPT) {
            return true;
        }
        let asked = self.inner.asked.lock();
        asked.len() >= ASKED_LIMIT || asked.get(service).is_some_and(|last| last.elapsed() < ASKED_KEPT)
    }

    /// Keeps the view up until the store fails or ends. A view that has fallen behind the history is loaded anew.
    pub(crate) async fn follow(self, mut watch: Watch) {
        loop {
            let upto = match watch.step().await {
                Ok(step) => {
                    self.take_in(&step);
                    step.upto
                }
                Err(Ended::Compacted(_)) => match watch.skip_to_now().await {
                    Ok((keys, revision)) => {
                        self.show(Catalog::load(&keys, revision));
                        revision
                    }
                    Err(failed) => return self.end(&failed),
                },
                Err(Ended::Failed(failed)) => return self.end(&failed),
            };
            self.inner.seen.send_modify(|seen| seen.upto = upto);
        }
    }

    fn take_in(&self, step: &Step) {
        if !step.commits.is_empty() {
            let mut catalog = Catalog::clone(&self.view());
            step.commits.iter().for_each(|commit| catalog.apply(commit));
            self.show(catalog);
        }
    }

    /// To everybody who asks from now on, and to those who wait for one of its services that has changed.
    fn show(&self, catalog: Catalog) {
        let view = Arc::new(catalog);
        self.inner.view.store(Arc::clone(&view));
        for (service, index) in self.inner.awaited.lock().iter() {
            index.send_if_modified(|known| {
                let now = view.index_of(service);
                std::mem::replace(known, now) != now
            });
        }
    }

    fn end(&self, failed: &Failed) {
        tracing::debug!(%failed, "the directory follows no longer");
        self.inner.seen.send_modify(|seen| seen.over = true);
        // Those who wait find nobody there who could tell them anything.
        self.inner.awaited.lock().clear();
    }
}

/// Somebody who waits for a service. With the last of them it is forgotten that it is awaited.
struct Waiting<'a> {
    directory: &'a Directory,
    service: &'a str,
    index: watch::Receiver<Revision>,
}

impl<'a> Waiting<'a> {
    fn of(directory: &'a Directory, service: &'a str) -> Waiting<'a> {
        let mut awaited = directory.inner.awaited.lock();
        let index = match awaited.get(service) {
            Some(index) => index.subscribe(),
            None => {
                let (sender, index) = watch::channel(directory.view().index_of(service));
                awaited.insert(service.to_string(), sender);
                index
            }
        };
        Waiting { directory, service, index }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut awaited = self.directory.inner.awaited.lock();
        // Ours counts until we are gone.
        if awaited.get(self.service).is_some_and(|index| index.receiver_count() <= 1) {
            awaited.remove(self.service);
        }
    }
}
