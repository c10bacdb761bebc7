//! What a transaction has read holds when it commits, whoever else writes.

use std::panic::AssertUnwindSafe;

use adsum_keyspace::{Blob, Notice, Space, Transaction, Value};
use adsum_model::Revision;
use futures_util::FutureExt;
use tokio::task::JoinSet;

use crate::world::{DB, Node, Refusal, World, commits_until, number, put, text, under};

pub(crate) async fn a_node_reads_what_it_has_written<W: World>(mut world: W) {
    let (one, other) = (world.node().await, world.node().await);
    for n in 0..20 {
        let written = one.transact(|tx| put(tx, "k", &n.to_string())).await.unwrap();
        let local = one.local(|tx| text(tx, "k"));
        assert_eq!((local.reply, local.revision), (Some(n.to_string()), written.revision));
        // It was over before this begins, so the other one has to see it, however far its own view is.
        let read = other.transact(|tx| text(tx, "k")).await.unwrap();
        assert_eq!((read.reply, read.revision), (Some(n.to_string()), written.revision));
    }
}

pub(crate) async fn concurrent_increments_add_up<W: World>(mut world: W) {
    const TASKS: u64 = 6;
    const EACH: u64 = 15;
    let nodes = [world.node().await, world.node().await];
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let node = nodes[task as usize % 2].clone();
        tasks.spawn(async move {
            for _ in 0..EACH {
                node.transact(|tx| increment(tx, "sum")).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(nodes[0].transact(|tx| number(tx, "sum")).await.unwrap().reply, TASKS * EACH);
}

fn increment(tx: &mut Transaction<'_>, key: &str) {
    let next = number(tx, key) + 1;
    put(tx, key, &next.to_string());
}

pub(crate) async fn a_limit_on_a_range_holds<W: World>(mut world: W) {
    const LIMIT: usize = 3;
    const TASKS: usize = 6;
    const EACH: usize = 12;
    let nodes = [world.node().await, world.node().await];
    let mut watch = nodes[0].watch(Space::User, Revision::ZERO);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let node = nodes[task % 2].clone();
        tasks.spawn(async move {
            let key = format!("slot/{task}");
            for _ in 0..EACH {
                let taken = node.transact(|tx| take(tx, &key, LIMIT)).await.unwrap().reply;
                if taken {
                    node.transact(|tx| tx.delete(DB, key.as_bytes(), Notice::Del)).await.unwrap();
                }
            }
        });
    }
    tasks.join_all().await;
    nodes[0].transact(|tx| put(tx, "end", "")).await.unwrap();
    let (mut held, mut most) = (0, 0);
    for commit in commits_until(&mut watch, |commit| commit.changes[0].key == Blob::from("end")).await {
        for change in commit.changes.iter().filter(|change| change.key.starts_with(b"slot/")) {
            held = if change.notices[0] == Notice::Set { held + 1 } else { held - 1 };
            most = most.max(held);
        }
    }
    assert_eq!(held, 0);
    assert!(most <= LIMIT as i32, "{most} slots were held at once");
    assert!(most > 1, "nothing was ever held at the same time: the case tests nothing");
}

fn take(tx: &mut Transaction<'_>, key: &str, limit: usize) -> bool {
    let free = under(tx, "slot/").len() < limit;
    if free {
        put(tx, key, "");
    }
    free
}

/// Each may go only while there is another one: what was deleted has to count as read as well.
pub(crate) async fn the_last_of_a_range_is_never_taken_by_two<W: World>(mut world: W) {
    let nodes = [world.node().await, world.node().await];
    for round in 0..15 {
        let fill = |tx: &mut Transaction<'_>| ["guard/0", "guard/1"].map(|key| put(tx, key, ""));
        nodes[0].transact(fill).await.unwrap();
        let mut tasks = JoinSet::new();
        for (number, node) in nodes.iter().cloned().enumerate() {
            tasks.spawn(async move {
                let leave = |tx: &mut Transaction<'_>| {
                    under(tx, "guard/").len() > 1
                        && tx.delete(DB, format!("guard/{number}").as_bytes(), Notice::Del)
                };
                node.transact(leave).await.unwrap().reply
            });
        }
        let left = tasks.join_all().await;
        let stayed = nodes[0].transact(|tx| under(tx, "guard/")).await.unwrap().reply;
        assert_eq!((left.iter().filter(|left| **left).count(), stayed.len()), (1, 1), "in round {round}");
    }
}

/// Two that each read what the other writes: one of them has to see the other.
pub(crate) async fn what_a_transaction_read_holds_when_it_commits<W: World>(mut world: W) {
    let nodes = [world.node().await, world.node().await];
    for round in 0..15 {
        let mut tasks = JoinSet::new();
        for (number, node) in nodes.iter().cloned().enumerate() {
            let (mine, others) = (format!("{round}/{number}"), format!("{round}/{}", 1 - number));
            tasks.spawn(async move {
                let claim = |tx: &mut Transaction<'_>| {
                    let alone = tx.get(DB, others.as_bytes()).is_none();
                    put(tx, &mine, if alone { "alone" } else { "second" });
                };
                node.transact(claim).await.unwrap();
            });
        }
        tasks.join_all().await;
        // Nothing is unwrapped within: a run that does not count may read what is over.
        let claims = |tx: &mut Transaction<'_>| [0, 1].map(|n| text(tx, &format!("{round}/{n}")));
        let mut claims = nodes[0].transact(claims).await.unwrap().reply.map(Option::unwrap);
        claims.sort();
        assert_eq!(claims, ["alone", "second"], "in round {round}");
    }
}

pub(crate) async fn a_transaction_that_is_too_big_is_refused_whole<W: World>(mut world: W) {
    let (keys, bytes, limit) = W::TOO_BIG;
    let node = world.node().await;
    let before = node.transact(|tx| put(tx, "before", "")).await.unwrap().revision;
    let value = Value::String(Blob::from(vec![b'x'; bytes]));
    let fill = |tx: &mut Transaction<'_>| {
        (0..keys).for_each(|n| tx.put(DB, format!("big/{n}"), value.clone(), None, &[Notice::Set]));
    };
    let Err(Refusal::TooBig(message)) = node.transact(fill).await else { panic!("it was not refused") };
    assert!(message.contains(limit) && message.contains("split"), "{message}");
    let left = node.transact(|tx| under(tx, "")).await.unwrap();
    assert_eq!((left.reply, left.revision), (vec!["before".to_string()], before));
}

/// One that has changed something ends the process of the embedded engine, as its own tests show.
pub(crate) async fn a_panic_in_a_transaction_that_has_changed_nothing_harms_nobody<W: World>(mut world: W) {
    let node = world.node().await;
    let broken = async { node.transact(|tx| assert!(tx.get(DB, b"a").is_some())).await.map(drop) };
    assert!(AssertUnwindSafe(broken).catch_unwind().await.is_err());
    node.transact(|tx| put(tx, "a", "1")).await.unwrap();
    assert_eq!(node.local(|tx| text(tx, "a")).reply, Some("1".to_string()));
}

pub(crate) async fn every_grant_of_a_lock_has_a_greater_fence<W: World>(mut world: W) {
    let nodes = [world.node().await, world.node().await];
    let mut fences = Vec::new();
    for round in 0..12 {
        let node = &nodes[round % 2];
        let granted = node.transact(|tx| grant(tx, "lock")).await.unwrap();
        assert!(granted.reply, "it was free");
        assert!(!nodes[(round + 1) % 2].transact(|tx| grant(tx, "lock")).await.unwrap().reply);
        fences.push(granted.revision);
        // The fence is on record, for whoever asks.
        let held = |tx: &mut Transaction<'_>| tx.get(DB, b"lock").map(|entry| entry.created);
        assert_eq!(nodes[0].transact(held).await.unwrap().reply, Some(granted.revision));
        // Given back and taken by one transaction is a new grant as well.
        let passed_on = |tx: &mut Transaction<'_>| {
            tx.delete(DB, b"lock", Notice::Del);
            grant(tx, "lock")
        };
        fences.push(node.transact(passed_on).await.unwrap().revision);
        assert_eq!(nodes[0].transact(held).await.unwrap().reply, fences.last().copied());
        nodes[1].transact(|tx| tx.delete(DB, b"lock", Notice::Del)).await.unwrap();
    }
    assert!(fences.is_sorted_by(|one, next| one < next), "{fences:?}");
}

fn grant(tx: &mut Transaction<'_>, key: &str) -> bool {
    let free = tx.get(DB, key.as_bytes()).is_none();
    if free {
        put(tx, key, "held");
    }
    free
}
