//! Commits as they become visible.

use std::sync::Arc;

use adsum_keyspace::{Commit, Compacted, Database, Keys, Space};
use adsum_model::Revision;

use crate::{Failed, Store};

/// A reader of the history that keeps its place. It has no queue that could overflow: one that is too slow finds
/// its place gone, and is told so.
pub struct Watch {
    store: Store,
    space: Space,
    seen: Revision,
}

/// Why a watch ends.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Ended {
    #[error(transparent)]
    Compacted(#[from] Compacted),
    #[error(transparent)]
    Failed(#[from] Failed),
}

/// A step of a watch: everything of the space up to a revision.
pub(crate) struct Step {
    pub(crate) commits: Vec<Arc<Commit>>,
    pub(crate) upto: Revision,
}

impl Watch {
    pub(crate) fn new(store: Store, space: Space, after: Revision) -> Watch {
        Watch { store, space, seen: after }
    }

    /// The next commits of the space, at least one. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Vec<Arc<Commit>>, Ended> {
        loop {
            let step = self.step().await?;
            if !step.commits.is_empty() {
                return Ok(step.commits);
            }
        }
    }

    /// Up to where everything has been delivered.
    pub fn seen(&self) -> Revision {
        self.seen
    }

    /// Gives up what was missed: the state of the system space as of now, from which the watch goes on.
    pub(crate) async fn skip_to_now(&mut self) -> Result<(Keys, Revision), Failed> {
        let (keys, revision) = {
            let state = self.store.shared.state.lock();
            let keyspace = state.server.keyspace();
            (keyspace.keys(Database::System).clone(), keyspace.revision())
        };
        self.store.durable(revision).await?;
        self.seen = revision;
        Ok((keys, revision))
    }

    /// Goes on to what is visible, which may hold nothing of the space.
    pub(crate) async fn step(&mut self) -> Result<Step, Ended> {
        let seen = self.seen;
        let store = &self.store;
        let over = |visible: Revision| visible > seen || store.has_failed() || store.is_closing();
        let upto = store.visible(self.space).until(over).await;
        if upto <= seen {
            return Err(store.failed().into());
        }
        let commits = {
            let state = self.store.shared.state.lock();
            let after = state.server.keyspace().after(self.space, seen)?;
            after.take_while(|commit| commit.revision <= upto).cloned().collect()
        };
        self.seen = upto;
        Ok(Step { commits, upto })
    }
}
