//! Which revisions the next store gives out, when those that were seen may be lost.

use adsum_keyspace::Space;
use adsum_store::{Durability, Ended};

use crate::kit::{copy, end, has, set, try_open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_everysec_no_revision_that_was_seen_and_lost_is_given_out_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = try_open(dir.path(), Durability::EverySecond).unwrap();
    store.transact(|tx| set(tx, "kept", None));
    store.flush().await.unwrap();
    let mut disk = copy(dir.path());
    let kept = store.durable_revision();
    let mut seen = store.transact(|tx| set(tx, "lost", None)).1;
    // The second time nothing was written since the first crash but what is lost again.
    for _ in 0..2 {
        let found = try_open(disk.path(), Durability::EverySecond).unwrap();
        assert!(has(&found, "kept") && !has(&found, "lost"));
        let mut watch = found.watch(Space::User, seen);
        let told = watch.next().await;
        assert!(matches!(told, Err(Ended::Compacted(_))), "{told:?} of {seen}");
        let next = copy(disk.path());
        let (_, revision) = found.transact(|tx| set(tx, "lost", None));
        assert!(revision > seen, "{revision} was given out before");
        // What was seen and is still there is no reason to begin anew.
        assert_eq!(found.watch(Space::User, kept).next().await.unwrap().len(), 1);
        (seen, disk) = (revision, next);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revisions_go_on_without_a_gap_when_nothing_can_have_been_lost() {
    for durability in [Durability::Always, Durability::EverySecond] {
        let dir = tempfile::tempdir().unwrap();
        let store = try_open(dir.path(), durability).unwrap();
        store.transact(|tx| set(tx, "a", None));
        store.flush().await.unwrap();
        let last = store.durable_revision();
        // A clean end with everysec, an unclean one with always.
        let disk = if durability == Durability::Always { copy(dir.path()) } else { dir };
        end(store).await;
        let store = loop {
            match try_open(disk.path(), durability) {
                Ok(store) => break store,
                Err(error) => assert!(error.to_string().contains("journal"), "{error}"),
            }
        };
        // With everysec a start has a record of its own.
        let next = if durability == Durability::Always { last.next() } else { last.next().next() };
        assert_eq!(store.transact(|tx| set(tx, "b", None)).1, next, "{durability:?}");
    }
}

/// The process that has lost them may have had another mode than the one that finds out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_everysec_has_lost_is_known_to_a_store_that_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = try_open(dir.path(), Durability::EverySecond).unwrap();
    store.transact(|tx| set(tx, "kept", None));
    store.flush().await.unwrap();
    let disk = copy(dir.path());
    let (_, seen) = store.transact(|tx| set(tx, "lost", None));
    let store = try_open(disk.path(), Durability::Always).unwrap();
    let (_, revision) = store.transact(|tx| set(tx, "a", None));
    assert!(revision > seen);
    store.durable(revision).await.unwrap();
    let again = copy(disk.path());
    let store = try_open(again.path(), Durability::Always).unwrap();
    assert_eq!(store.transact(|tx| set(tx, "b", None)).1, revision.next());
}
