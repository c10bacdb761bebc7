//! What keys held before, as long as that is kept.

use adsum_keyspace::Value;
use adsum_model::Revision;
use adsum_store::Unreadable;

use crate::kit::{DB, open, set_to};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_key_held_can_be_read_over_many_slices_while_others_write() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let place = (DB, "a".into());
    let (_, absent) = store.transact(|tx| set_to(tx, "b", "x"));
    let mut revisions = Vec::new();
    for n in 0..5000 {
        let (_, revision) =
            store.transact(|tx| set_to(tx, if n % 1000 == 0 { "a" } else { "b" }, &n.to_string()));
        revisions.push(revision);
    }
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for n in 0..2000 {
            writer.transact(|tx| set_to(tx, "a", &format!("later {n}")));
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(store.entry_at(&place, absent).await.unwrap(), None);
    for n in [0, 999, 1000, 2500, 4999] {
        let entry = store.entry_at(&place, revisions[n]).await.unwrap().unwrap();
        let expect = (n / 1000 * 1000).to_string();
        assert_eq!(entry.value, Value::String(expect.as_str().into()), "at {n}");
    }
    writing.await.unwrap();
    let history = store.history_of(&place, 3).await.unwrap();
    let values: Vec<_> = history.events.iter().map(|event| event.change().op.clone()).collect();
    let put = |n: u32| adsum_keyspace::Op::Put {
        value: Value::String(format!("later {n}").as_str().into()),
        deadline: None,
        copy_of: None,
    };
    assert_eq!(values, [put(1997), put(1998), put(1999)]);
    assert!(history.more);
    assert_eq!(store.history_of(&place, 5000).await.unwrap().events.len(), 2005);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_longer_kept_or_not_yet_there_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (_, first) = store.transact(|tx| set_to(tx, "a", "1"));
    let big = "x".repeat(1024 * 1024);
    for _ in 0..20 {
        store.transact(|tx| set_to(tx, "b", &big));
    }
    let place = (DB, "a".into());
    let Err(Unreadable::Compacted { asked, oldest }) = store.entry_at(&place, first).await else { panic!() };
    assert!(asked == first && oldest > first);
    assert!(store.entry_at(&place, oldest).await.unwrap().is_some());
    let history = store.history_of(&place, 10).await.unwrap();
    assert!(history.events.is_empty() && history.oldest == oldest);
    let Err(Unreadable::Future { last, .. }) = store.entry_at(&place, Revision(1000)).await else { panic!() };
    assert_eq!(last, store.durable_revision());
}
