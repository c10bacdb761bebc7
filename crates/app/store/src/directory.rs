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

/// How long those who were given an address are thought to use it.
const ASKED_KEPT: Duration = Duration::from_secs(600);
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
                        self.inner.view.store(Arc::new(Catalog::load(&keys, revision)));
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
            self.inner.view.store(Arc::new(catalog));
        }
    }

    fn end(&self, failed: &Failed) {
        tracing::debug!(%failed, "the directory follows no longer");
        self.inner.seen.send_modify(|seen| seen.over = true);
    }
}
