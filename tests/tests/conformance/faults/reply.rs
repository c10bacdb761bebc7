//! Replies and requests that do not arrive, or too late.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use adsum_etcd::{Engine, Error};
use adsum_keyspace::{Blob, Deadline, Notice, Space, Transaction, Value};
use tokio::task::block_in_place;

use crate::etcd::OnEtcd;
use crate::faults::{FAST, increment};
use crate::proxy::Mode;
use crate::world::{DB, Node, SOON, World, next, number, put, run, soon, text, until};

#[test]
fn a_lost_reply_is_found_out_and_the_write_not_made_again() {
    run::<OnEtcd, _>(|mut world| async move {
        let witness = world.node().await;
        let (proxy, engine) = world.behind_a_proxy().await;
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
        let (proxy, engine) = world.behind_a_proxy().await;
        proxy.set(Mode::SwallowAnswers);
        let begin = Instant::now();
        let error = engine.transact(|tx| increment(tx, "sum")).await.unwrap_err();
        assert!(matches!(error, Error::Unknown { .. }) && begin.elapsed() < FAST, "{error}");
        assert!(error.to_string().contains("before it is sent again"), "{error}");
        assert_eq!(witness.transact(|tx| number(tx, "sum")).await.unwrap().reply, 1);
    });
}

/// It arrives long after its sender has given it up, asked, and sent the same once more.
#[test]
fn a_straggler_is_refused_by_the_fence() {
    run::<OnEtcd, _>(|mut world| async move {
        let witness = world.node().await;
        let (proxy, engine) = world.behind_a_proxy().await;
        // Blind: nothing that it reads or writes keeps it from being applied twice.
        let publish =
            |tx: &mut Transaction<'_>| tx.publish(Blob::from("news"), Blob::from("of the straggler"));
        let mut published = witness.engine.published();
        proxy.set(Mode::KeepBack("of the straggler"));
        let done = soon("the message is sent", engine.transact(publish)).await.unwrap();
        assert_eq!(proxy.kept_back(), 1, "nothing was kept back");
        assert_eq!(soon("it is heard", published.recv()).await.unwrap().revision, done.revision);
        assert!(!proxy.has_late_answer("/adsum/test/s/"));
        proxy.set(Mode::Release);
        // Only who is refused is told what has come of its session's key.
        until("etcd has refused the straggler", || proxy.has_late_answer("/adsum/test/s/").then_some(()))
            .await;
        let last = witness.transact(|tx| put(tx, "last", "")).await.unwrap().revision;
        let mut watch = witness.watch(Space::User, done.revision);
        assert_eq!(next(&mut watch).await.len(), 1);
        assert!(published.try_recv().is_err(), "it was published twice");
        assert!(last > done.revision);
    });
}

#[test]
fn a_reply_whose_trace_is_compacted_is_called_unknown() {
    run::<OnEtcd, _>(|mut world| async move {
        let witness = world.node().await;
        let (proxy, engine) = world.behind_a_proxy().await;
        proxy.set(Mode::SwallowAnswers);
        let write = tokio::spawn(async move { engine.transact(|tx| increment(tx, "sum")).await });
        until("etcd has applied it", || witness.local(|tx| text(tx, "sum")).reply).await;
        proxy.set(Mode::Cut);
        let last = witness.transact(|tx| put(tx, "later", "")).await.unwrap().revision.0.to_string();
        block_in_place(|| world.etcd.etcdctl(&["compact", &last]).ok());
        proxy.set(Mode::Pass);
        let error = soon("the write is answered", write).await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Unknown { .. }), "{error}");
        assert_eq!(witness.transact(|tx| number(tx, "sum")).await.unwrap().reply, 1);
    });
}

#[test]
fn a_process_whose_lease_was_lost_gets_another_and_writes_on() {
    run::<OnEtcd, _>(|mut world| async move {
        let node = world.node().await;
        until("there is a timekeeper", || node.engine.is_timekeeper().then_some(())).await;
        let leases = block_in_place(|| world.etcd.etcdctl(&["lease", "list"]).ok());
        let leases: Vec<&str> = leases.lines().skip(1).collect();
        assert_eq!(leases.len(), 1, "{leases:?}");
        block_in_place(|| world.etcd.etcdctl(&["lease", "revoke", leases[0]]).ok());
        let set = |tx: &mut Transaction<'_>| {
            let soon = Deadline::after(100, tx.now());
            tx.put(DB, "k", Value::String("v".into()), Some(soon), &[Notice::Set]);
        };
        let begin = Instant::now();
        node.engine.transact(set).await.unwrap();
        assert!(begin.elapsed() < FAST, "{:?}", begin.elapsed());
        until("somebody keeps the time again", || {
            node.local(|tx| text(tx, "k")).reply.is_none().then_some(())
        })
        .await;
    });
}

#[test]
fn who_is_always_too_slow_is_told_so() {
    run::<OnEtcd, _>(|mut world| async move {
        let slow = world.node().await;
        // In a runtime of its own, because the transaction waits for it within.
        let (ask, mut asked) = tokio::sync::mpsc::unbounded_channel::<()>();
        let (say, said) = std::sync::mpsc::channel();
        let options = world.options();
        let fast = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let engine = Engine::open(options).await.unwrap();
                while asked.recv().await.is_some() {
                    engine.transact(|tx| put(tx, "sum", "0")).await.unwrap();
                    say.send(()).unwrap();
                }
            });
        });
        let runs = AtomicUsize::new(0);
        let counted = &runs;
        let overtaken = move |tx: &mut Transaction<'_>| {
            counted.fetch_add(1, Ordering::Relaxed);
            increment(tx, "sum");
            ask.send(()).unwrap();
            said.recv_timeout(SOON).unwrap();
        };
        let error = slow.engine.transact(overtaken).await.unwrap_err();
        assert_eq!((error, runs.into_inner()), (Error::Contended { attempts: 64 }, 64));
        block_in_place(|| fast.join()).unwrap();
        assert_eq!(slow.transact(|tx| text(tx, "sum")).await.unwrap().reply, Some("0".to_string()));
    });
}
