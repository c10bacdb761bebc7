//! Writes while etcd is killed and stopped: none is lost, none is made twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use adsum_etcd::Error;
use adsum_keyspace::{Blob, Commit, Notice, Op, Space, Transaction, Value};
use adsum_model::Revision;
use tokio::task::{JoinSet, block_in_place};

use crate::etcd::{EtcdNode, OnEtcd};
use crate::faults::{FAST, increment};
use crate::world::{DB, Node, World, commits_until, number, put, run, soon, text, until};

#[test]
fn a_kill_of_etcd_loses_no_write_and_doubles_none() {
    run::<OnEtcd, _>(|mut world| async move {
        let nodes = [world.node().await, world.node().await];
        let mut watch = nodes[0].watch(Space::User, Revision::ZERO);
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        for writer in 0..4_usize {
            writers.spawn(push_until(nodes[writer % 2].clone(), writer, stop.clone()));
        }
        let mut node = nodes[0].clone();
        for _ in 0..3 {
            let before = node.engine.revision();
            let wrote = || (node.engine.revision().0 > before.0 + 20).then_some(());
            until("writes are under way", wrote).await;
            node = world.crash(node).await;
        }
        let before = node.engine.revision();
        until("writes go on", || (node.engine.revision().0 > before.0 + 20).then_some(())).await;
        stop.store(true, Ordering::Relaxed);
        let said: BTreeMap<String, Said> = writers.join_all().await.into_iter().flatten().collect();
        nodes[1].transact(|tx| put(tx, "end", "")).await.unwrap();
        let commits = commits_until(&mut watch, |commit| commit.changes[0].key == Blob::from("end")).await;
        assert_eq!(wrong(&said, &pushed(&commits)), Vec::<String>::new());
        let count = |wanted: Said| said.values().filter(|said| **said == wanted).count();
        let (done, unknown, refused) = (count(Said::Done), count(Said::Unknown), count(Said::Refused));
        println!("3 kills of etcd: {done} writes done, {unknown} unknown, {refused} refused");
        assert!(done > 60, "{done} writes are too few to tell anything");
        assert!(commits.windows(2).any(|two| two[1].now.wall > two[0].now.wall + 100), "no kill was felt");
    });
}

/// What a writer was told of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Done,
    Unknown,
    Refused,
}

async fn push_until(node: EtcdNode, writer: usize, stop: Arc<AtomicBool>) -> Vec<(String, Said)> {
    let mut said = Vec::new();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let element = format!("{writer}/{n}");
        let answer = node.engine.transact(|tx| push(tx, &element)).await;
        let what = match answer {
            Ok(_) | Err(Error::Behind { .. }) => Said::Done,
            Err(Error::Unknown { .. }) => Said::Unknown,
            Err(Error::Unavailable(_) | Error::Contended { .. }) => Said::Refused,
            Err(error) => panic!("{error}"),
        };
        said.push((element, what));
    }
    said
}

/// Reads the list, so that writers are in each other's way.
fn push(tx: &mut Transaction<'_>, element: &str) {
    let length = tx.get(DB, b"list").map_or(0, |entry| match &entry.value {
        Value::List(list) => list.len(),
        other => panic!("{other:?}"),
    });
    // Short, so that no row grows with the length of the test.
    let (rank, remove) = if length < 50 { (length, 0) } else { (0, 50) };
    tx.splice(DB, b"list", rank, remove, [Blob::from(element)][..].into(), &[Notice::Rpush]);
}

/// How often each element was pushed, by the event records.
fn pushed(commits: &[Arc<Commit>]) -> BTreeMap<String, usize> {
    let mut pushed = BTreeMap::new();
    for change in commits.iter().flat_map(|commit| &commit.changes) {
        if let Op::Splice { insert, .. } = &change.op {
            for element in insert {
                *pushed.entry(String::from_utf8_lossy(element).into_owned()).or_insert(0) += 1;
            }
        }
    }
    pushed
}

/// What does not agree.
fn wrong(said: &BTreeMap<String, Said>, pushed: &BTreeMap<String, usize>) -> Vec<String> {
    let times = |element: &String| pushed.get(element).copied().unwrap_or(0);
    let is_right = |(element, said): &(&String, &Said)| match said {
        Said::Done => times(element) == 1,
        Said::Unknown => times(element) <= 1,
        Said::Refused => times(element) == 0,
    };
    let wrong = said.iter().filter(|pair| !is_right(pair));
    wrong.map(|(element, said)| format!("{element} {said:?}, and pushed {} times", times(element))).collect()
}

#[test]
fn what_the_check_of_writes_finds() {
    let said = |said: Said| BTreeMap::from([("a".to_string(), said)]);
    let pushed = |times: usize| BTreeMap::from([("a".to_string(), times)]);
    assert_eq!(wrong(&said(Said::Done), &BTreeMap::new()), ["a Done, and pushed 0 times"]);
    assert_eq!(wrong(&said(Said::Done), &pushed(2)), ["a Done, and pushed 2 times"]);
    assert_eq!(wrong(&said(Said::Refused), &pushed(1)), ["a Refused, and pushed 1 times"]);
    assert_eq!(wrong(&said(Said::Unknown), &pushed(2)), ["a Unknown, and pushed 2 times"]);
    for right in [wrong(&said(Said::Unknown), &pushed(1)), wrong(&said(Said::Done), &pushed(1))] {
        assert_eq!(right, Vec::<String>::new());
    }
}

#[test]
fn a_write_to_a_paused_etcd_is_answered_in_time_and_applied_at_most_once() {
    run::<OnEtcd, _>(|mut world| async move {
        let node = world.node().await;
        node.transact(|tx| put(tx, "sum", "1")).await.unwrap();
        let revision = node.engine.revision();
        block_in_place(|| world.etcd.pause());
        let paused = Instant::now();
        let answer = node.engine.transact(|tx| increment(tx, "sum")).await;
        assert!(paused.elapsed() < FAST, "{:?}", paused.elapsed());
        let message = match &answer {
            Err(error @ (Error::Unknown { .. } | Error::Unavailable(_))) => error.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(message.contains(&world.etcd.endpoint()), "{message}");
        let local = node.local(|tx| text(tx, "sum"));
        assert_eq!((local.reply, local.revision), (Some("1".to_string()), revision));
        assert!(local.age >= Duration::from_secs(1), "{:?}", local.age);
        // It stays paused for as long as it takes until nobody can still believe in it.
        until("three seconds are over", || (paused.elapsed() > Duration::from_secs(3)).then_some(())).await;
        world.etcd.resume();
        let write = async { while node.transact(|tx| put(tx, "after", "")).await.is_err() {} };
        soon("writes go on", write).await;
        let sum = node.transact(|tx| number(tx, "sum")).await.unwrap().reply;
        let at_most = if matches!(answer, Err(Error::Unknown { .. })) { 2 } else { 1 };
        assert!((1..=at_most).contains(&sum), "{sum} after {answer:?}");
    });
}
