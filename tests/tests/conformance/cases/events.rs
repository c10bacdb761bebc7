//! What is told of what has happened.

use std::sync::Arc;

use adsum_keyspace::{Blob, Commit, Database, Deadline, Notice, Op, Space, Transaction, Value, switch};
use adsum_model::Revision;

use crate::world::{
    Commits, DB, Ear, Ended, Node, Watch, World, commits_until, next, notices, put, soon, until,
};

pub(crate) async fn an_event_says_why<W: World>(mut world: W) {
    let (one, other) = (world.node().await, world.node().await);
    let mut commits = Commits::of(other.watch(Space::User, Revision::ZERO));
    let fill = |tx: &mut Transaction<'_>| {
        put(tx, "deleted", "v");
        put(tx, "renamed", "v");
        let soon = Deadline::after(50, tx.now());
        tx.put(DB, "expired", Value::String("v".into()), Some(soon), &[Notice::Set, Notice::Expire]);
    };
    one.transact(fill).await.unwrap();
    assert_eq!(commits.one().await.changes.len(), 3);
    let gone = commits.one().await;
    assert_eq!(notices(&gone), [("expired".to_string(), "expired")]);
    one.transact(|tx| tx.delete(DB, b"deleted", Notice::Del)).await.unwrap();
    assert_eq!(commits.notices().await, [("deleted".to_string(), "del")]);
    let rename = |tx: &mut Transaction<'_>| {
        tx.copy((DB, b"renamed"), (DB, b"new"), Notice::RenameTo);
        tx.delete(DB, b"renamed", Notice::RenameFrom);
    };
    one.transact(rename).await.unwrap();
    let renamed = commits.one().await;
    assert_eq!(notices(&renamed), [("new".to_string(), "rename_to"), ("renamed".to_string(), "rename_from")]);
    one.transact(|tx| tx.clear(DB)).await.unwrap();
    assert_eq!(commits.one().await.changes[0].op, Op::Clear);
}

pub(crate) async fn a_change_of_a_list_travels_as_its_delta<W: World>(mut world: W) {
    let (one, other) = (world.node().await, world.node().await);
    let elements = (0..500).map(|n| Blob::from(n.to_string())).collect();
    let fill = |elements: Vec<Blob>| {
        move |tx: &mut Transaction<'_>| tx.splice(DB, b"l", 0, 0, elements.clone().into(), &[Notice::Rpush])
    };
    let made = one.transact(fill(elements)).await.unwrap().revision;
    let mut watch = other.watch(Space::User, made);
    one.transact(|tx| tx.splice(DB, b"l", 500, 0, [Blob::from("x")][..].into(), &[Notice::Rpush]))
        .await
        .unwrap();
    let commits = next(&mut watch).await;
    let pushed = Op::Splice { rank: 500, remove: 0, insert: [Blob::from("x")][..].into() };
    assert_eq!(commits[0].changes[0].op, pushed);
    one.transact(|tx| tx.splice(DB, b"l", 0, 501, [][..].into(), &[Notice::Ltrim])).await.unwrap();
    let commits = next(&mut watch).await;
    assert_eq!(notices(&commits[0]), [("l".to_string(), "ltrim"), ("l".to_string(), "del")]);
    assert!(other.local(|tx| tx.get(DB, b"l").is_none()).reply);
}

pub(crate) async fn a_watch_has_no_gap_over_a_crash<W: World>(mut world: W) {
    let node = world.node().await;
    let system = |tx: &mut Transaction<'_>| {
        tx.put(Database::System, "s", Value::String("v".into()), None, &[Notice::Set])
    };
    let mut watch = node.watch(Space::User, Revision::ZERO);
    write(&node, 0..20).await;
    node.transact(system).await.unwrap();
    let mut commits = commits_until(&mut watch, |commit| commit.changes[0].key == Blob::from("19")).await;
    // A place is all that a watch has to remember.
    let seen = watch.seen();
    drop(watch);
    write(&node, 20..30).await;
    let node = world.crash(node).await;
    write(&node, 30..50).await;
    let mut watch = node.watch(Space::User, seen);
    commits.extend(commits_until(&mut watch, |commit| commit.changes[0].key == Blob::from("49")).await);
    let keys: Vec<String> =
        commits.iter().map(|commit| String::from_utf8_lossy(&commit.changes[0].key).into_owned()).collect();
    assert_eq!(keys, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(commits.is_sorted_by(|one, next| one.revision < next.revision));
}

async fn write(node: &impl Node, numbers: std::ops::Range<u32>) {
    for n in numbers {
        let write = async {
            // Refused while the engine is away.
            while node.transact(|tx| put(tx, &n.to_string(), "")).await.is_err() {}
        };
        soon("the write is taken", write).await;
    }
}

pub(crate) async fn who_is_too_far_behind_is_told<W: World>(mut world: W) {
    let node = world.node().await;
    let first = node.transact(|tx| put(tx, "first", "")).await.unwrap().revision;
    let mut watch = node.watch(Space::User, first);
    let (writes, bytes) = W::HISTORY;
    let value = Value::String(Blob::from(vec![b'x'; bytes]));
    for _ in 0..writes {
        node.transact(|tx| tx.put(DB, "large", value.clone(), None, &[Notice::Set])).await.unwrap();
    }
    let Err(Ended::Compacted(compacted)) = soon("the watch ends", watch.next()).await else {
        panic!("what was missed is no longer kept, and nothing was said")
    };
    assert!(compacted.oldest > first && compacted.oldest < node.local(|_| ()).revision);
    // From there on everything is delivered.
    let mut watch = node.watch(Space::User, compacted.oldest);
    let commits: Vec<Arc<Commit>> = next(&mut watch).await;
    assert!(commits.iter().all(|commit| commit.revision > compacted.oldest));
}

pub(crate) async fn a_message_reaches_every_node<W: World>(mut world: W) {
    let nodes = [world.node().await, world.node().await];
    let mut ears = nodes.each_ref().map(|node| node.listen("news"));
    let mut elsewhere = nodes[1].listen("weather");
    let publish = |tx: &mut Transaction<'_>| tx.publish(Blob::from("news"), Blob::from("hello"));
    nodes[0].transact(publish).await.unwrap();
    let both = |tx: &mut Transaction<'_>| {
        put(tx, "k", "v");
        tx.publish(Blob::from("news"), Blob::from("with a change"));
    };
    nodes[1].transact(both).await.unwrap();
    for ear in &mut ears {
        until("both messages are heard", || {
            (ear.has_heard("hello") && ear.has_heard("with a change")).then_some(())
        })
        .await;
    }
    assert!(!elsewhere.has_heard("hello"));
}

pub(crate) async fn a_dead_mans_switch_fires_with_the_end_of_its_key<W: World>(mut world: W) {
    let (one, other) = (world.node().await, world.node().await);
    let mut watch = other.watch(Space::User, Revision::ZERO);
    let set = |tx: &mut Transaction<'_>| {
        let switch = switch::key_of(DB, b"alive").unwrap();
        let action = Value::String(Blob::from("EVENT it has died"));
        tx.put(Database::System, switch, action, None, &[]);
        let soon = Deadline::after(50, tx.now());
        tx.put(DB, "alive", Value::String("v".into()), Some(soon), &[Notice::Set]);
    };
    let made = one.transact(set).await.unwrap().revision;
    let expired = |commit: &Commit| notices(commit).contains(&("alive".to_string(), "expired"));
    let commits = commits_until(&mut watch, expired).await;
    // The firing is in the same commit, and names the key that has gone.
    let changes = &commits.last().unwrap().changes;
    let fired: Vec<_> = changes.iter().filter_map(|change| switch::fired_place(&change.key)).collect();
    assert_eq!(fired, [((DB, Blob::from("alive")), made)]);
    assert!(one.transact(|tx| tx.get(DB, b"alive").is_none()).await.unwrap().reply);
}
