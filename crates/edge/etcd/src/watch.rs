//! Commits as they come from etcd.

use std::sync::Arc;

use adsum_keyspace::{Commit, Compacted, Publish, Space};
use adsum_model::Revision;
use tokio::sync::watch::Receiver;

use crate::shared::{Level, Shared};

/// Messages of one transaction, for whoever is subscribed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub revision: Revision,
    pub publishes: Vec<Publish>,
}

/// A reader of the view's history that keeps its place. It has no queue that could overflow, and it goes on when etcd
/// comes back.
pub struct Watch {
    shared: Arc<Shared>,
    space: Space,
    seen: Revision,
    level: Receiver<Level>,
}

/// Why a watch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    #[error(transparent)]
    Compacted(#[from] Compacted),
    #[error("the engine was closed")]
    Closed,
}

impl Watch {
    pub(crate) fn new(shared: Arc<Shared>, space: Space, after: Revision) -> Watch {
        let level = shared.level.subscribe();
        Watch { shared, space, seen: after, level }
    }

    /// The next commits of the space, at least one. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Vec<Arc<Commit>>, Ended> {
        loop {
            let seen = self.seen;
            let level = self.level.wait_for(|level| level.revision > seen || level.closed).await;
            if level.is_err() || level.is_ok_and(|level| level.revision <= seen) {
                return Err(Ended::Closed);
            }
            let commits = self.take()?;
            if !commits.is_empty() {
                return Ok(commits);
            }
        }
    }

    /// Up to where everything has been delivered.
    pub fn seen(&self) -> Revision {
        self.seen
    }

    fn take(&mut self) -> Result<Vec<Arc<Commit>>, Compacted> {
        let view = self.shared.view.lock();
        let commits = view.keyspace.after(self.space, self.seen)?.cloned().collect();
        self.seen = view.revision();
        Ok(commits)
    }
}
