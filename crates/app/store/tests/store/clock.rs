//! Time is kept, and what is due goes.

use std::time::{Duration, Instant};

use adsum_keyspace::{Notice, Space, Transaction};
use adsum_store::Store;

use crate::kit::{DB, end, open, set};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn downtime_does_not_shorten_a_ttl() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.commit(|tx| set(tx, "lease", Some(60_000))).await.unwrap();
    let begin = Instant::now();
    let before = rest(&store, "lease").unwrap();
    end(store).await;
    let (ended, begin_anew) = (begin.elapsed(), Instant::now());
    let store = open(dir.path());
    let after = rest(&store, "lease").unwrap();
    // Only the time in which there was a store counts, and on a busy machine that is more than none.
    let up = u64::try_from((ended + begin_anew.elapsed()).as_millis()).unwrap();
    assert!(after <= 60_000 && after + up + 1_000 >= before, "{before} before, {after} after, {up} up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_expires_at_its_time_though_nobody_looks() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let begin = Instant::now();
    let mut watch = store.watch(Space::User, store.durable_revision());
    store.commit(|tx| set(tx, "soon", Some(80))).await.unwrap();
    let expired = loop {
        let commits = watch.next().await.unwrap();
        let changes = commits.iter().flat_map(|commit| &commit.changes);
        if changes.flat_map(|change| &change.notices).any(|notice| *notice == Notice::Expired) {
            break begin.elapsed();
        }
    };
    assert!(expired >= Duration::from_millis(80), "early: {expired:?}");
}

fn rest(store: &Store, key: &str) -> Option<u64> {
    let rest = |tx: &mut Transaction<'_>| {
        let now = tx.now();
        tx.get(DB, key.as_bytes()).and_then(|entry| entry.deadline).map(|deadline| deadline.rest(now))
    };
    store.transact(rest).0
}
