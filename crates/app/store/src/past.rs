//! What keys held, and what happened to them.
//!
//! The window of the history can hold tens of thousands of commits: it is walked in slices, between which the lock is
//! free. What is told is durable when it is told.

use std::collections::VecDeque;
use std::sync::Arc;

use adsum_keyspace::{Change, Commit, Compacted, Entry, Keyspace, Op, Place, Space};
use adsum_model::Revision;

use crate::{Failed, Store};

/// Commits that are looked at under the lock at a time.
const SLICE: usize = 1000;

/// Why it cannot be told what a key held at a revision.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unreadable {
    #[error(
        "the state at revision {asked} is no longer kept: the oldest revision that can be read is {oldest}"
    )]
    Compacted { asked: Revision, oldest: Revision },
    #[error("there is no revision {asked} yet: the last one is {last}")]
    Future { asked: Revision, last: Revision },
    #[error(transparent)]
    Failed(#[from] Failed),
}

/// What has happened, of what was asked for.
#[derive(Clone, Debug)]
pub struct HistoryOf {
    /// In order.
    pub events: Vec<PastEvent>,
    /// What happened after it is known; what happened before it is not.
    pub oldest: Revision,
    /// Up to where it was looked for.
    pub upto: Revision,
    /// Whether more is known than was asked for.
    pub more: bool,
}

/// A change, with the commit that it is part of.
#[derive(Clone, Debug)]
pub struct PastEvent {
    pub commit: Arc<Commit>,
    at: usize,
}

impl PastEvent {
    /// From 1: the event is called `REVISION-N`.
    pub fn number(&self) -> u64 {
        self.at as u64 + 1
    }

    pub fn change(&self) -> &Change {
        &self.commit.changes[self.at]
    }
}

impl Store {
    /// What a key held at a revision.
    pub async fn entry_at(
        &self,
        place: &Place,
        revision: Revision,
    ) -> Result<Option<Arc<Entry>>, Unreadable> {
        let mut at = self.enter(|server, _| server.keyspace().entry_now(place));
        if revision > at.revision {
            return Err(Unreadable::Future { asked: revision, last: at.revision });
        }
        let compacted = |Compacted { oldest }| Unreadable::Compacted { asked: revision, oldest };
        loop {
            at = self.read(|keyspace| keyspace.step_back(place, at, revision, SLICE)).map_err(compacted)?;
            if at.revision == revision {
                break;
            }
            tokio::task::yield_now().await;
        }
        self.durable(revision).await?;
        Ok(at.entry)
    }

    /// The newest `limit` changes of a key, as far as the history reaches.
    pub async fn history_of(&self, place: &Place, limit: usize) -> Result<HistoryOf, Failed> {
        let wanted = |change: &Change| concerns(change, place);
        self.history(place.0.space(), Revision::ZERO, limit, wanted).await
    }

    /// The newest `limit` changes of a space that are wanted, after `after` and as far as the history reaches.
    pub async fn history(
        &self,
        space: Space,
        after: Revision,
        limit: usize,
        wanted: impl Fn(&Change) -> bool,
    ) -> Result<HistoryOf, Failed> {
        let upto = self.enter(|server, _| server.keyspace().revision());
        let mut walk = Walk { oldest: after, seen: after, found: VecDeque::new(), more: false };
        while self.read(|keyspace| walk.step(keyspace, space, upto, limit, &wanted)) {
            tokio::task::yield_now().await;
        }
        self.durable(upto).await?;
        Ok(HistoryOf { events: walk.found.into(), oldest: walk.oldest, upto, more: walk.more })
    }

    fn read<T>(&self, body: impl FnOnce(&Keyspace) -> T) -> T {
        body(self.shared.state.lock().server.keyspace())
    }
}

/// On the way through the window, from its oldest commit on.
struct Walk {
    oldest: Revision,
    seen: Revision,
    found: VecDeque<PastEvent>,
    more: bool,
}

impl Walk {
    /// Looks at the next slice. Whether there may be more.
    fn step(
        &mut self,
        keyspace: &Keyspace,
        space: Space,
        upto: Revision,
        limit: usize,
        wanted: impl Fn(&Change) -> bool,
    ) -> bool {
        let commits = match keyspace.after(space, self.seen) {
            Ok(commits) => commits.take_while(|commit| commit.revision <= upto).take(SLICE),
            Err(Compacted { oldest }) => {
                // What was found before a gap would look as if nothing had happened within it.
                *self = Walk { oldest, seen: oldest, found: VecDeque::new(), more: false };
                return true;
            }
        };
        let mut looked = 0;
        for commit in commits {
            looked += 1;
            self.seen = commit.revision;
            let found = (0..commit.changes.len()).filter(|at| wanted(&commit.changes[*at]));
            self.found.extend(found.map(|at| PastEvent { commit: commit.clone(), at }));
            let surplus = self.found.len().saturating_sub(limit);
            self.more |= surplus > 0;
            self.found.drain(..surplus);
        }
        looked == SLICE
    }
}

/// Emptying the database concerns every key of it.
fn concerns(change: &Change, place: &Place) -> bool {
    change.database == place.0 && (change.key == place.1 || matches!(change.op, Op::Clear))
}
