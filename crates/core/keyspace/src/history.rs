//! The commits of the recent past, for watches and for reads at a revision.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

use adsum_model::Revision;

use crate::draft::Undos;
use crate::state::Undo;
use crate::{Commit, Database, Entry, Op, Place};

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

/// What a key held at a revision.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryAt {
    pub entry: Option<Arc<Entry>>,
    pub revision: Revision,
}

/// A window of commits, bounded in bytes.
pub(crate) struct History {
    pasts: VecDeque<Past>,
    bytes: usize,
    limit: usize,
    /// What comes after it is known.
    oldest: Revision,
    /// The state can be told as of it, and of what comes after.
    readable: Revision,
    /// Revisions strictly between these were given to commits that have been lost, or to none.
    holes: Vec<(Revision, Revision)>,
}

/// A commit with the way back.
pub(crate) struct Past {
    pub(crate) commit: Arc<Commit>,
    /// None where nobody can ask for the state before it.
    pub(crate) undos: Option<Undos>,
    pub(crate) weight: usize,
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
        History { pasts: VecDeque::new(), bytes: 0, limit, oldest, readable: oldest, holes: Vec::new() }
    }

    /// `weight` is that of all of it. Without `undos` the state before this commit cannot be told any more. What is forgotten
    /// for it is `let_go`.
    pub(crate) fn push(
        &mut self,
        commit: &Arc<Commit>,
        undos: Option<Undos>,
        weight: usize,
        mut let_go: impl FnMut(Past),
    ) {
        if undos.is_none() {
            self.readable = commit.revision;
        }
        self.pasts.push_back(Past { commit: commit.clone(), undos, weight });
        self.bytes += weight;
        while self.bytes > self.limit {
            let Some(past) = self.pasts.pop_front() else { return };
            self.bytes -= past.weight;
            self.forget_upto(past.commit.revision);
            let_go(past);
        }
    }

    /// Has fetched what so many commits will make it forget, which nobody has looked at for long.
    pub(crate) fn expect(&self, commits: usize) {
        if self.bytes < self.limit / 10 * 9 {
            return;
        }
        let forgotten = self.pasts.iter().take(commits).flat_map(|past| {
            // Neither this nor an entry fits into one line of a cache.
            let (commit, change) = (Arc::strong_count(&past.commit), past.commit.changes.last());
            black_box((commit, change.map(|change| change.notices.len())));
            past.undos.iter().flatten()
        });
        // One commit may have taken away very much.
        for undo in forgotten.take(2 * commits) {
            if let Undo::Entry(Some(entry)) = undo {
                black_box((Arc::strong_count(entry), entry.deadline));
            }
        }
    }

    fn forget_upto(&mut self, revision: Revision) {
        self.oldest = revision;
        self.readable = self.readable.max(revision);
        self.holes.retain(|(_, end)| *end > revision);
    }

    /// Between these, both excluded, no revision has been seen, or none that is still true.
    pub(crate) fn skip(&mut self, from: Revision, to: Revision) {
        self.holes.push((from, to));
    }

    /// The commits after `revision`, in order.
    pub(crate) fn after(
        &self,
        revision: Revision,
    ) -> Result<impl DoubleEndedIterator<Item = &Arc<Commit>>, Compacted> {
        self.refuse_lost(revision)?;
        if revision < self.oldest {
            return Err(Compacted { oldest: self.oldest });
        }
        Ok(self.pasts.range(self.behind(revision)..).map(|past| &past.commit))
    }

    /// What `place`, of which `at` is known, held at `revision`, or as early as so many commits lead back to.
    pub(crate) fn step_back(
        &self,
        place: &Place,
        at: EntryAt,
        revision: Revision,
        commits: usize,
    ) -> Result<EntryAt, Compacted> {
        self.refuse_lost(revision)?;
        if revision < self.readable {
            return Err(Compacted { oldest: self.readable });
        }
        let (goal, end) = (self.behind(revision), self.behind(at.revision));
        let start = goal.max(end.saturating_sub(commits));
        let mut back = Back { place, entry: at.entry, cut: None };
        for past in self.pasts.range(start.min(end)..end).rev() {
            back.take(past)?;
        }
        let reached = if start == goal { revision } else { self.pasts[start - 1].commit.revision };
        Ok(EntryAt { entry: back.finish(), revision: reached })
    }

    /// Where the commits after `revision` begin.
    fn behind(&self, revision: Revision) -> usize {
        self.pasts.partition_point(|past| past.commit.revision <= revision)
    }

    /// What was true at a revision in a hole is not known.
    fn refuse_lost(&self, revision: Revision) -> Result<(), Compacted> {
        let mut holes = self.holes.iter();
        match holes.find(|(start, end)| (*start < revision) && (revision < *end)) {
            Some((_, end)) => Err(Compacted { oldest: *end }),
            None => Ok(()),
        }
    }
}

/// A key on its way back in time.
struct Back<'a> {
    place: &'a Place,
    entry: Option<Arc<Entry>>,
    /// To what it is to be cut in the end: once, and not for every append, each of which would copy it.
    cut: Option<Undo>,
}

impl Back<'_> {
    /// Makes of what the key held after this commit what it held before.
    fn take(&mut self, past: &Past) -> Result<(), Compacted> {
        let undos = past.undos.as_deref().unwrap_or_default();
        for (change, undo) in past.commit.changes.iter().zip(undos).rev() {
            if change.database != self.place.0 {
                continue;
            }
            match undo {
                Undo::Lost if change.op == Op::Clear || change.is_of(self.place) => {
                    return Err(Compacted { oldest: past.commit.revision });
                }
                Undo::Cleared(shelf) => self.replace(shelf.keys.get(self.place.1.as_slice()).cloned()),
                _ if !change.is_of(self.place) => {}
                Undo::Entry(before) => self.replace(before.clone()),
                Undo::Append { length, modified } => {
                    self.cut = Some(Undo::Append { length: *length, modified: *modified });
                }
                undo => self.entry.iter_mut().for_each(|entry| undo.apply(&change.op, entry)),
            }
        }
        Ok(())
    }

    fn replace(&mut self, entry: Option<Arc<Entry>>) {
        (self.entry, self.cut) = (entry, None);
    }

    fn finish(mut self) -> Option<Arc<Entry>> {
        if let (Some(cut), Some(entry)) = (&self.cut, &mut self.entry) {
            cut.apply(&Op::Append("".into()), entry);
        }
        self.entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Now;

    fn commit(revision: u64) -> Arc<Commit> {
        Arc::new(Commit { revision: Revision(revision), now: Now::default(), changes: Default::default() })
    }

    fn after(history: &History, revision: u64) -> Result<Vec<u64>, Compacted> {
        history.after(Revision(revision)).map(|commits| commits.map(|c| c.revision.0).collect())
    }

    #[test]
    fn a_history_forgets_the_oldest_and_says_so() {
        let mut history = History::new(Revision(4), 30);
        for revision in 5..=8 {
            history.push(&commit(revision), None, 10, drop);
        }
        assert_eq!(after(&history, 5), Ok(vec![6, 7, 8]));
        assert_eq!(after(&history, 7), Ok(vec![8]));
        assert_eq!(after(&history, 9), Ok(vec![]));
        assert_eq!(after(&history, 4), Err(Compacted { oldest: Revision(5) }));
    }

    #[test]
    fn who_has_seen_what_was_lost_is_told() {
        let mut history = History::new(Revision(4), 30);
        history.push(&commit(5), None, 10, drop);
        history.skip(Revision(5), Revision(100));
        history.push(&commit(101), None, 10, drop);
        assert_eq!(after(&history, 5), Ok(vec![101]));
        assert_eq!(after(&history, 6), Err(Compacted { oldest: Revision(100) }));
        assert_eq!(after(&history, 99), Err(Compacted { oldest: Revision(100) }));
        assert_eq!(after(&history, 100), Ok(vec![101]));
    }
}
