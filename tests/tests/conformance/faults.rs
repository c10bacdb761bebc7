//! What can happen to an etcd and to those who use it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use adsum_etcd::{Engine, Error, Options};
use adsum_keyspace::{Blob, Commit, Deadline, Notice, Op, Space, Transaction, Value};
use adsum_model::Revision;
use tokio::task::{JoinSet, block_in_place};

use crate::etcd::{EtcdNode, OnEtcd};
use crate::proxy::{Mode, Proxy};
use crate::world::{
    DB, Ended, Node, Watch, World, commits_until, entries, next, notices, number, put, run, soon, text, until,
};

/// Within this a write says that it cannot be done. The time that a busy machine needs to say so is in it.
const FAST: Duration = Duration::from_millis(2500);

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

fn increment(tx: &mut Transaction<'_>, key: &str) -> u64 {
    let next = number(tx, key) + 1;
    put(tx, key, &next.to_string());
    next
}

#[test]
fn without_etcd_writes_fail_fast_and_reads_go_on() {
    run::<OnEtcd, _>(|mut world| async move {
        let node = world.node().await;
        node.transact(|tx| put(tx, "k", "1")).await.unwrap();
        block_in_place(|| world.etcd.kill());
        let begin = Instant::now();
        let error = node.engine.transact(|tx| put(tx, "k", "2")).await.unwrap_err();
        assert!(begin.elapsed() < FAST, "{:?}", begin.elapsed());
        let message = error.to_string();
        assert!(message.contains(&world.etcd.endpoint()), "{message}");
        until("it is known to be away", || {
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(node.engine.available()).err()
            })
        })
        .await;
        let begin = Instant::now();
        let error = node.engine.transact(|tx| put(tx, "k", "3")).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        assert!(error.to_string().contains("etcdctl") && begin.elapsed() < FAST, "{error}");
        let begin = Instant::now();
        let error = node.engine.transact(|tx| text(tx, "k")).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)) && begin.elapsed() < FAST, "{error}");
        assert_eq!(node.local(|tx| text(tx, "k")).reply, Some("1".to_string()));
        block_in_place(|| world.etcd.start_again());
        let read = async {
            loop {
                if let Ok(done) = node.transact(|tx| text(tx, "k")).await {
                    return done.reply;
                }
            }
        };
        let read = soon("it goes on by itself", read).await;
        // The first write may have been on its way when etcd was killed; the second one was refused.
        assert!(matches!(read.as_deref(), Some("1" | "2")), "{read:?}");
    });
}

#[test]
fn a_lost_reply_is_found_out_and_the_write_not_made_again() {
    run::<OnEtcd, _>(|mut world| async move {
        let witness = world.node().await;
        let proxy = Proxy::start(world.etcd.address()).await;
        let engine =
            Engine::open(Options { endpoints: vec![proxy.endpoint()], ..world.options() }).await.unwrap();
        proxy.set(Mode::SwallowAnswers);
        let write = tokio::spawn(async move { engine.transact(|tx| increment(tx, "sum")).await });
        until("etcd has applied it", || witness.local(|tx| text(tx, "sum")).reply).await;
        let applied = witness.engine.revision();
        assert!(!write.is_finished(), "the reply was not lost");
        proxy.set(Mode::Cut);
        proxy.set(Mode::Pass);
        let done = soon("the write is answered", write).await.unwrap().unwrap();
        assert_eq!((done.reply, done.revision), (1, applied));
        assert_eq!(witness.transact(|tx| number(tx, "sum")).await.unwrap().reply, 1);
    });
}

#[test]
fn a_reply_that_stays_lost_is_called_unknown() {
    run::<OnEtcd, _>(|mut world| async move {
        let witness = world.node().await;
        let proxy = Proxy::start(world.etcd.address()).await;
        let engine =
            Engine::open(Options { endpoints: vec![proxy.endpoint()], ..world.options() }).await.unwrap();
        proxy.set(Mode::SwallowAnswers);
        let begin = Instant::now();
        let error = engine.transact(|tx| increment(tx, "sum")).await.unwrap_err();
        assert!(matches!(error, Error::Unknown { .. }) && begin.elapsed() < FAST, "{error}");
        assert!(error.to_string().contains("before it is sent again"), "{error}");
        assert_eq!(witness.transact(|tx| number(tx, "sum")).await.unwrap().reply, 1);
    });
}

#[test]
fn what_is_compacted_while_a_node_is_away_is_read_anew_and_watchers_are_told() {
    run::<OnEtcd, _>(|mut world| async move {
        let stays = world.node().await;
        let proxy = Proxy::start(world.etcd.address()).await;
        let engine =
            Engine::open(Options { endpoints: vec![proxy.endpoint()], ..world.options() }).await.unwrap();
        let away = EtcdNode { engine };
        stays.transact(|tx| put(tx, "k", "before")).await.unwrap();
        until("both have it", || away.local(|tx| text(tx, "k")).reply).await;
        let mut watch = away.watch(Space::User, away.engine.revision());
        proxy.set(Mode::Cut);
        for n in 0..10 {
            stays.transact(|tx| put(tx, "k", &n.to_string())).await.unwrap();
        }
        stays.transact(|tx| tx.clear(DB)).await.unwrap();
        let last = stays.transact(|tx| put(tx, "k", "after")).await.unwrap().revision;
        let compacted = last.0.to_string();
        block_in_place(|| world.etcd.etcdctl(&["compact", &compacted]).ok());
        assert_eq!(away.local(|tx| text(tx, "k")).reply, Some("before".to_string()));
        proxy.set(Mode::Pass);
        let Err(Ended::Compacted(told)) = soon("the watch ends", Watch::next(&mut watch)).await else {
            panic!("it has missed commits and was not told")
        };
        assert_eq!(told.oldest, last);
        assert_eq!(away.local(|tx| text(tx, "k")).reply, Some("after".to_string()));
        // From there it goes on, and both are the same.
        let mut watch = away.watch(Space::User, told.oldest);
        stays.transact(|tx| put(tx, "next", "")).await.unwrap();
        assert_eq!(notices(&next(&mut watch).await[0]), [("next".to_string(), "set")]);
        assert_eq!(entries(&away, DB), entries(&stays, DB));
    });
}

#[test]
fn another_timekeeper_takes_over_and_no_key_goes_early() {
    run::<OnEtcd, _>(|mut world| async move {
        let first = world.node().await;
        until("there is a timekeeper", || first.engine.is_timekeeper().then_some(())).await;
        let second = world.node().await;
        assert!(!second.engine.is_timekeeper());
        let mut watch = second.watch(Space::User, second.engine.revision());
        let begin = Instant::now();
        let set = |tx: &mut Transaction<'_>| {
            let deadline = Deadline::after(500, tx.now());
            tx.put(DB, "k", Value::String("v".into()), Some(deadline), &[Notice::Set]);
        };
        second.transact(set).await.unwrap();
        // As a kill: its lease is not given back.
        drop(first);
        assert_eq!(notices(&next(&mut watch).await[0]), [("k".to_string(), "set")]);
        until("its time is over", || (begin.elapsed() > Duration::from_millis(600)).then_some(())).await;
        assert_eq!(second.local(|tx| text(tx, "k")).reply, Some("v".to_string()), "nobody has expired it");
        assert!(!second.engine.is_timekeeper(), "the lease of the other one was not waited for");
        assert_eq!(notices(&next(&mut watch).await[0]), [("k".to_string(), "expired")]);
        let late = begin.elapsed() - Duration::from_millis(500);
        println!("after a kill of the timekeeper a key went {late:?} late");
        assert!(second.engine.is_timekeeper());
        // One that ends in order does not let anybody wait.
        let third = world.node().await;
        second.engine.close().await;
        let begin = Instant::now();
        until("the third is the timekeeper", || third.engine.is_timekeeper().then_some(())).await;
        println!("after an orderly end there was a new timekeeper within {:?}", begin.elapsed());
    });
}

#[test]
fn what_a_flush_leaves_in_etcd_is_cleared_away() {
    run::<OnEtcd, _>(|mut world| async move {
        let node = world.node().await;
        for piece in 0..12 {
            let fill =
                |tx: &mut Transaction<'_>| (0..100).for_each(|n| put(tx, &format!("{piece}/{n}"), "v"));
            node.transact(fill).await.unwrap();
        }
        let rows = || {
            let words = ["get", "/adsum/test/k/", "--prefix", "--keys-only"];
            let keys = block_in_place(|| world.etcd.etcdctl(&words).ok());
            keys.lines().filter(|line| !line.is_empty()).count()
        };
        assert_eq!(rows(), 1200);
        let flush = |tx: &mut Transaction<'_>| {
            tx.clear(DB);
            put(tx, "new", "v");
        };
        node.transact(flush).await.unwrap();
        until("the old rows are gone", || (rows() == 1).then_some(())).await;
        assert_eq!(node.transact(|tx| text(tx, "new")).await.unwrap().reply, Some("v".to_string()));
    });
}
