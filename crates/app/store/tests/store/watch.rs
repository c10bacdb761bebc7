//! What is watched has no gaps.

use adsum_keyspace::Space;
use adsum_model::Revision;

use crate::kit::{end, open, set};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_delivers_every_commit_after_its_revision_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.commit(|tx| set(tx, "before", None)).await.unwrap();
    let from = store.durable_revision();
    let mut watch = store.watch(Space::User, from);
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for n in 0..200 {
            writer.transact(|tx| set(tx, &format!("k{n}"), None));
            tokio::task::yield_now().await;
        }
    });
    let mut seen = Vec::new();
    while seen.len() < 200 {
        seen.extend(watch.next().await.unwrap().iter().map(|commit| commit.revision));
    }
    writing.await.unwrap();
    assert_eq!(seen, (1..=200).map(|n| Revision(from.0 + n)).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_store_still_has_its_history() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.commit(|tx| set(tx, "a", None)).await.unwrap();
    store.commit(|tx| set(tx, "b", None)).await.unwrap();
    end(store).await;
    let store = open(dir.path());
    let commits = store.watch(Space::User, Revision::ZERO).next().await.unwrap();
    assert_eq!(commits.len(), 2);
}
