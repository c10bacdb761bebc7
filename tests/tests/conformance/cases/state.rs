//! What is there: the same for everybody, whenever they begin.

use adsum_keyspace::{Blob, Database, Deadline, Entry, Notice, Transaction, Value};
use adsum_model::Revision;

use crate::world::{DB, Node, World, entries, put, soon, text, under, until};

pub(crate) async fn a_flushed_database_is_empty_and_filled_anew_in_one_transaction<W: World>(mut world: W) {
    let (one, other) = (world.node().await, world.node().await);
    for piece in 0..3 {
        let fill = |tx: &mut Transaction<'_>| {
            (0..100).for_each(|n| put(tx, &format!("{piece}/{n}"), "old"));
        };
        one.transact(fill).await.unwrap();
    }
    let elsewhere = |tx: &mut Transaction<'_>| {
        tx.put(Database::User(1), "k", Value::String("v".into()), None, &[Notice::Set])
    };
    one.transact(elsewhere).await.unwrap();
    let flush = |tx: &mut Transaction<'_>| {
        put(tx, "lost", "");
        tx.clear(DB);
        put(tx, "0/1", "new");
    };
    other.transact(flush).await.unwrap();
    let later = world.node().await;
    for node in [&one, &other, &later] {
        let left = node.transact(|tx| (under(tx, ""), text(tx, "0/1"))).await.unwrap().reply;
        assert_eq!(left, (vec!["0/1".to_string()], Some("new".to_string())));
        assert_eq!(entries(node, Database::User(1)).len(), 1);
    }
    let again = |tx: &mut Transaction<'_>| {
        tx.clear(DB);
        put(tx, "0/2", "newest");
    };
    one.transact(again).await.unwrap();
    assert_eq!(later.transact(|tx| under(tx, "")).await.unwrap().reply, ["0/2"]);
}

/// By events or by reading the whole: values, revisions and deadlines are the same.
pub(crate) async fn who_begins_later_knows_the_same<W: World>(mut world: W) {
    let node = world.node().await;
    let list = |tx: &mut Transaction<'_>| {
        let elements = ["a", "b", "c"].map(Blob::from);
        tx.splice(DB, b"list", 0, 0, elements.into_iter().collect(), &[Notice::Rpush]);
        put(tx, "string", "v");
        put(tx, "gone", "v");
        put(tx, "", "of the empty key");
        put(tx, "with \u{0}/\u{ff} in it", "v");
    };
    node.transact(list).await.unwrap();
    node.transact(|tx| tx.splice(DB, b"list", 1, 1, [Blob::from("x")][..].into(), &[Notice::Lset]))
        .await
        .unwrap();
    node.transact(|tx| tx.append(DB, b"string", b"w")).await.unwrap();
    node.transact(|tx| tx.copy((DB, b"list"), (Database::User(2), b"copy"), Notice::CopyTo)).await.unwrap();
    let deadlines = |tx: &mut Transaction<'_>| {
        let relative = Deadline::after(3_600_000, tx.now());
        tx.set_deadline(DB, b"string", Some(relative), Notice::Expire);
        tx.set_deadline(DB, b"list", Some(Deadline::wall(9_000_000_000_000)), Notice::Expire);
        tx.delete(DB, b"gone", Notice::Del);
    };
    node.transact(deadlines).await.unwrap();
    let anew = |tx: &mut Transaction<'_>| {
        tx.delete(DB, b"", Notice::Del);
        put(tx, "", "anew");
    };
    node.transact(anew).await.unwrap();
    let before = [DB, Database::User(2)].map(|database| known(&node, database));
    let node = world.crash(node).await;
    let later = world.node().await;
    assert_eq!(before, [DB, Database::User(2)].map(|database| known(&later, database)));
    assert_eq!(before[0].len(), 4, "{before:?}");
    assert_eq!(before[1].len(), 1, "{before:?}");
    assert_rest(&later);
    // What was read whole can be changed as what was seen growing.
    later.transact(|tx| tx.append(DB, b"string", b"x")).await.unwrap();
    node.transact(|tx| tx.append(DB, b"string", b"y")).await.unwrap();
    assert_eq!(later.transact(|tx| text(tx, "string")).await.unwrap().reply, Some("vwxy".to_string()));
}

type Known = (Blob, Value, Revision, Revision, Option<bool>, u64);

/// All but the ticks of a relative deadline, which are each process' own.
fn known(node: &impl Node, database: Database) -> Vec<Known> {
    let known = |(key, entry): (Blob, Entry)| {
        let wall = entry.deadline.filter(|deadline| deadline.is_wall());
        let is_wall = entry.deadline.map(Deadline::is_wall);
        (key, entry.value, entry.created, entry.modified, is_wall, wall.map_or(0, Deadline::millis))
    };
    entries(node, database).into_iter().map(known).collect()
}

fn assert_rest(node: &impl Node) {
    let rest = |tx: &mut Transaction<'_>| {
        let now = tx.now();
        tx.get(DB, b"string").and_then(|entry| entry.deadline).map(|deadline| deadline.rest(now))
    };
    let rest = node.local(rest).reply.unwrap();
    assert!((3_500_000..=3_600_000).contains(&rest), "{rest} ms are left of an hour");
}

pub(crate) async fn revisions_go_on_after_a_restore<W: World>(mut world: W) {
    let node = world.node().await;
    let kept = node.transact(|tx| put(tx, "kept", "1")).await.unwrap().revision;
    world.save().await;
    let mut last = kept;
    for n in 0..5 {
        let revision = node.transact(|tx| put(tx, "after", &n.to_string())).await.unwrap().revision;
        assert!(revision > last, "{revision} after {last}");
        last = revision;
    }
    let node = world.restore(node).await;
    let write = async {
        loop {
            // Until the node has noticed, it may refuse.
            match node.transact(|tx| put(tx, "new", "1")).await {
                Ok(done) => return done.revision,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let first = soon("the node goes on", write).await;
    assert!(first > last, "revision {first} was given after {last}");
    let later = world.node().await;
    let created = |tx: &mut Transaction<'_>| tx.get(DB, b"new").map(|entry| entry.created);
    assert_eq!(later.transact(created).await.unwrap().reply, Some(first));
    assert_eq!(later.transact(|tx| text(tx, "kept")).await.unwrap().reply, Some("1".to_string()));
    assert_eq!(entries(&node, DB).len(), entries(&later, DB).len());
}

pub(crate) async fn a_local_read_says_what_it_is_of<W: World>(mut world: W) {
    let (one, other) = (world.node().await, world.node().await);
    let written = one.transact(|tx| put(tx, "k", "1")).await.unwrap().revision;
    let reached = until("the other node has seen it", || {
        let local = other.local(|tx| text(tx, "k"));
        // What it has at a revision is what was written at that revision, early or late.
        assert_eq!(local.reply.is_some(), local.revision >= written);
        local.reply.map(|_| (local.revision, local.age))
    });
    let (revision, age) = reached.await;
    assert_eq!(revision, written);
    assert!(age.as_secs() < 5, "{age:?}");
}
