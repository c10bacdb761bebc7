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

use crate::{Failed, Watch};

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
    /// Up to which revision the view holds everything.
    seen: watch::Sender<Revision>,
    asked: Mutex<HashMap<Name, Instant>>,
}

impl Directory {
    pub(crate) fn load(keyspace: &Keyspace) -> Directory {
        let revision = keyspace.revision();
        let view = Catalog::load(keyspace.keys(Database::System), revision);
        Directory {
            inner: Arc::new(Inner {
                view: ArcSwap::from_pointee(view),
                seen: watch::Sender::new(revision),
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
        seen.wait_for(|seen| *seen >= revision).await.map_err(|_| Failed::unknown())?;
        Ok(self.view())
    }

    /// The first view after that of revision `seen`.
    pub async fn changed(&self, seen: Revision) -> Result<Arc<Catalog>, Failed> {
        let mut receiver = self.inner.seen.subscribe();
        loop {
            receiver.borrow_and_update();
            let view = self.view();
            if view.revision() > seen {
                return Ok(view);
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
        let asked = self.inner.asked.lock();
        asked.len() >= ASKED_LIMIT || asked.get(service).is_some_and(|last| last.elapsed() < ASKED_KEPT)
    }

    /// Keeps the view up until the store fails or ends.
    pub(crate) async fn follow(self, mut watch: Watch) {
        loop {
            match watch.step().await {
                Ok(step) => {
                    if !step.commits.is_empty() {
                        let mut catalog = Catalog::clone(&self.view());
                        step.commits.iter().for_each(|commit| catalog.apply(commit));
                        self.inner.view.store(Arc::new(catalog));
                    }
                    self.inner.seen.send_replace(step.upto);
                }
                Err(ended) => {
                    tracing::debug!(%ended, "the directory follows no longer");
                    return;
                }
            }
        }
    }
}
