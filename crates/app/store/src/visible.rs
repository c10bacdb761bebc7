//! Up to where everything may leave the process.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use adsum_keyspace::{Change, Commit, Notice, Space};
use adsum_model::Revision;
use tokio::sync::watch;

/// Rises with the disk, or with the commits when nobody waits for the disk. Those who follow the system space have
/// a level of their own, so that the users' writes do not wake them.
#[derive(Default)]
pub(crate) struct Visible {
    all: Level,
    system: Level,
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
        self.all.raise(revision);
        self.system.raise(Revision(self.last_of_system.load(Ordering::Acquire)).min(revision));
    }

    /// Lets everybody look around.
    pub(crate) fn wake(&self) {
        self.all.wake();
        self.system.wake();
    }

    pub(crate) fn revision(&self) -> Revision {
        self.all.get()
    }

    pub(crate) fn last_of_system(&self) -> Revision {
        Revision(self.last_of_system.load(Ordering::Acquire))
    }

    pub(crate) fn of(&self, space: Space) -> &Level {
        match space {
            Space::User => &self.all,
            Space::System => &self.system,
        }
    }
}

/// A revision that rises. It does so with nearly every write, while mostly nobody waits for it: then it is a number, and
/// wakes nobody.
#[derive(Default)]
pub(crate) struct Level {
    now: AtomicU64,
    /// How many look whether it is high enough, or sleep until it may be.
    waiting: AtomicUsize,
    rises: watch::Sender<()>,
}

impl Level {
    pub(crate) fn get(&self) -> Revision {
        Revision(self.now.load(Ordering::Acquire))
    }

    fn raise(&self, revision: Revision) {
        // Raised before it is asked who waits, and those who wait say so before they look: one of both sees the other.
        let rises = self.now.load(Ordering::Relaxed) < revision.0
            && self.now.fetch_max(revision.0, Ordering::SeqCst) < revision.0;
        if rises && self.waiting.load(Ordering::SeqCst) > 0 {
            self.wake();
        }
    }

    fn wake(&self) {
        self.rises.send_replace(());
    }

    /// Comes as soon as `enough` says so, which is asked at once, with every rise, and when everybody is to look around.
    pub(crate) async fn until(&self, enough: impl Fn(Revision) -> bool) -> Revision {
        let _waiting = Waiting::on(&self.waiting);
        let mut rises = self.rises.subscribe();
        loop {
            let now = Revision(self.now.load(Ordering::SeqCst));
            if enough(now) {
                return now;
            }
            rises.changed().await.expect("what sends it is here");
        }
    }
}

/// Counted for as long as it is there.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn on(count: &'a AtomicUsize) -> Waiting<'a> {
        count.fetch_add(1, Ordering::SeqCst);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether the change takes a lock away from whoever holds it.
pub(crate) fn breaks_a_lock(change: &Change) -> bool {
    // Nearly all have one notice, or none.
    change.notices.len() > 1 && change.notices.contains(&Notice::LockBroken)
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};

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
        let above = |revision| {
            let level = visible.of(Space::System);
            Box::pin(async move { level.until(|now| now > Revision(revision)).await })
        };
        let mut system = above(5);
        assert_eq!(poll(&mut system), Poll::Pending);
        visible.note(&commit(6, Database::User(0)));
        visible.raise(Revision(6));
        assert_eq!(poll(&mut system), Poll::Pending);
        visible.note(&commit(7, Database::System));
        assert_eq!(poll(&mut system), Poll::Pending);
        visible.raise(Revision(8));
        assert_eq!(poll(&mut system), Poll::Ready(Revision(7)));
        assert_eq!(visible.revision(), Revision(8));
    }

    #[test]
    fn whoever_waits_is_woken_by_a_rise_and_by_a_call_to_look_around() {
        let visible = Visible::default();
        let wakes = Arc::<Wakes>::default();
        let waker = Waker::from(wakes.clone());
        let mut level = Box::pin(visible.of(Space::User).until(|now| now > Revision(2)));
        let mut context = Context::from_waker(&waker);
        assert_eq!(level.as_mut().poll(&mut context), Poll::Pending);
        for (wake, count) in [
            ((|visible| visible.raise(Revision(1))) as fn(&Visible), 1),
            (|visible| visible.raise(Revision(1)), 1),
            (Visible::wake, 2),
            (|visible| visible.raise(Revision(3)), 3),
        ] {
            wake(&visible);
            assert_eq!(wakes.0.load(Ordering::SeqCst), count);
            assert_eq!(level.as_mut().poll(&mut context).is_ready(), count == 3);
        }
        drop(level);
        assert_eq!(visible.of(Space::User).waiting.load(Ordering::SeqCst), 0);
    }

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn poll<T>(future: &mut Pin<Box<impl Future<Output = T>>>) -> Poll<T> {
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }
}
