//! Up to where everything may leave the process.

use std::sync::atomic::{AtomicU64, Ordering};

use adsum_keyspace::{Change, Commit, Notice, Space};
use adsum_model::Revision;
use tokio::sync::watch;

/// Rises with the disk, or with the commits when nobody waits for the disk. Those who follow the system space have
/// a level of their own, so that the users' writes do not wake them.
#[derive(Default)]
pub(crate) struct Visible {
    all: watch::Sender<Revision>,
    system: watch::Sender<Revision>,
    /// Of the last commit that touches the system space.
    last_of_system: AtomicU64,
    /// Of the last commit in which a lock was broken.
    broken: watch::Sender<Revision>,
}

impl Visible {
    /// Where a store begins.
    pub(crate) fn begin(&self, revision: Revision) {
        self.last_of_system.store(revision.0, Ordering::Release);
        self.raise(revision);
    }

    /// Takes notice of a commit, before it can become visible.
    pub(crate) fn note(&self, commit: &Commit) {
        if commit.changes.iter().any(|change| change.database.space() == Space::System) {
            self.last_of_system.store(commit.revision.0, Ordering::Release);
        }
        if commit.changes.iter().any(breaks_a_lock) {
            self.broken.send_replace(commit.revision);
        }
    }

    /// Of the last commit in which a lock was broken, before it is durable.
    pub(crate) fn broken(&self) -> watch::Receiver<Revision> {
        self.broken.subscribe()
    }

    pub(crate) fn raise(&self, revision: Revision) {
        self.all.send_if_modified(|level| rise(level, revision));
        let of_system = Revision(self.last_of_system.load(Ordering::Acquire)).min(revision);
        self.system.send_if_modified(|level| rise(level, of_system));
    }

    /// Lets everybody look around.
    pub(crate) fn wake(&self) {
        self.all.send_modify(|_| {});
        self.system.send_modify(|_| {});
    }

    pub(crate) fn revision(&self) -> Revision {
        *self.all.borrow()
    }

    pub(crate) fn last_of_system(&self) -> Revision {
        Revision(self.last_of_system.load(Ordering::Acquire))
    }

    pub(crate) fn subscribe(&self, space: Space) -> watch::Receiver<Revision> {
        match space {
            Space::User => self.all.subscribe(),
            Space::System => self.system.subscribe(),
        }
    }
}

/// Whether the change takes a lock away from whoever holds it.
pub(crate) fn breaks_a_lock(change: &Change) -> bool {
    // Nearly all have one notice, or none.
    change.notices.len() > 1 && change.notices.contains(&Notice::LockBroken)
}

fn rise(level: &mut Revision, revision: Revision) -> bool {
    let higher = revision > *level;
    *level = revision.max(*level);
    higher
}

#[cfg(test)]
mod tests {
    use adsum_keyspace::{Blob, Database, Now, Op};

    use super::*;

    fn commit(revision: u64, database: Database) -> Commit {
        let change = Change { database, key: Blob::from("k"), op: Op::Delete, notices: Default::default() };
        Commit { revision: Revision(revision), now: Now::default(), changes: [change].into() }
    }

    #[test]
    fn the_users_writes_do_not_wake_those_who_follow_the_system() {
        let visible = Visible::default();
        visible.begin(Revision(5));
        let mut system = visible.subscribe(Space::System);
        system.mark_unchanged();
        visible.note(&commit(6, Database::User(0)));
        visible.raise(Revision(6));
        assert!(!system.has_changed().unwrap());
        visible.note(&commit(7, Database::System));
        visible.raise(Revision(6));
        visible.raise(Revision(8));
        assert_eq!(*system.borrow_and_update(), Revision(7));
        assert_eq!(visible.revision(), Revision(8));
    }
}
