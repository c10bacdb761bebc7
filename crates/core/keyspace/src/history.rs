//! The commits of the recent past, for watches and for reads at a revision.

use std::collections::VecDeque;
use std::sync::Arc;

use adsum_model::Revision;

use crate::{Commit, Database};

/// Whose history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    User,
    System,
}

/// Asked for events that are no longer kept: the only way in which a watch says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("events up to revision {oldest} are no longer kept: read the state anew and watch from there")]
pub struct Compacted {
    /// Events after this revision can be had.
    pub oldest: Revision,
}

/// A window of commits, bounded in bytes.
pub(crate) struct History {
    commits: VecDeque<(Arc<Commit>, usize)>,
    bytes: usize,
    limit: usize,
    oldest: Revision,
}

impl Database {
    pub fn space(self) -> Space {
        match self {
            Database::User(_) => Space::User,
            Database::System => Space::System,
        }
    }
}

impl History {
    /// Knows what comes after `oldest`.
    pub(crate) fn new(oldest: Revision, limit: usize) -> History {
        History { commits: VecDeque::new(), bytes: 0, limit, oldest }
    }

    pub(crate) fn push(&mut self, commit: &Arc<Commit>, weight: usize) {
        self.commits.push_back((commit.clone(), weight));
        self.bytes += weight;
        while self.bytes > self.limit {
            let Some((evicted, weight)) = self.commits.pop_front() else { return };
            self.bytes -= weight;
            self.oldest = evicted.revision;
        }
    }

    /// The commits after `revision`, in order.
    pub(crate) fn after(&self, revision: Revision) -> Result<impl Iterator<Item = &Arc<Commit>>, Compacted> {
        if revision < self.oldest {
            return Err(Compacted { oldest: self.oldest });
        }
        let start = self.commits.partition_point(|(commit, _)| commit.revision <= revision);
        Ok(self.commits.range(start..).map(|(commit, _)| commit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Now;

    #[test]
    fn a_history_forgets_the_oldest_and_says_so() {
        let mut history = History::new(Revision(4), 30);
        for revision in 5..=8 {
            let commit =
                Commit { revision: Revision(revision), now: Now::default(), changes: Default::default() };
            history.push(&Arc::new(commit), 10);
        }
        let after = |revision| {
            history.after(Revision(revision)).map(|commits| commits.map(|c| c.revision.0).collect::<Vec<_>>())
        };
        assert_eq!(after(5), Ok(vec![6, 7, 8]));
        assert_eq!(after(7), Ok(vec![8]));
        assert_eq!(after(9), Ok(vec![]));
        assert_eq!(after(4), Err(Compacted { oldest: Revision(5) }));
    }
}
