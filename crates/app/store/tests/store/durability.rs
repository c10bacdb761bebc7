//! What is acknowledged is there for whoever opens the directory next, and nobody has it besides.

use adsum_store::Durability;

use crate::kit::{end, has, open, set, try_open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_a_restart_under_its_revision() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let cluster = store.cluster();
    for n in 0..100 {
        store.commit(|tx| set(tx, &format!("k{n}"), None)).await.unwrap();
    }
    let revision = store.durable_revision();
    end(store).await;

    let store = open(dir.path());
    assert_eq!((store.durable_revision(), store.cluster()), (revision, cluster));
    assert!((0..100).all(|n| has(&store, &format!("k{n}"))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_becomes_visible_only_when_it_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (_, revision) = store.transact(|tx| set(tx, "a", None));
    store.durable(revision).await.unwrap();
    assert_eq!(store.durable_revision(), revision);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_everysec_a_write_is_visible_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = try_open(dir.path(), Durability::EverySecond).unwrap();
    let (_, revision) = store.transact(|tx| set(tx, "a", None));
    assert_eq!(store.durable_revision(), revision);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_store_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _store = open(dir.path());
    let error = try_open(dir.path(), Durability::Always).err().expect("the directory is in use");
    let text = format!("{error}: {}", std::error::Error::source(&error).unwrap());
    assert!(text.contains(&std::process::id().to_string()), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_was_released_is_anothers_though_handles_on_it_live() {
    for durability in [Durability::Always, Durability::EverySecond] {
        let dir = tempfile::tempdir().unwrap();
        let store = try_open(dir.path(), durability).unwrap();
        store.commit(|tx| set(tx, "before", None)).await.unwrap();
        store.release().await.unwrap();
        let next = try_open(dir.path(), durability).unwrap();
        assert!(has(&next, "before"));
        // What comes too late is not acknowledged, and harms nobody.
        let late = store.commit(|tx| set(tx, "late", None)).await;
        assert!(late.is_err(), "{durability:?}: {late:?}");
        next.commit(|tx| set(tx, "after", None)).await.unwrap();
        next.release().await.unwrap();
        let last = try_open(dir.path(), durability).unwrap();
        assert_eq!((has(&last, "after"), has(&last, "late")), (true, false));
    }
}
