//! When the timekeeper dies.

use std::time::{Duration, Instant};

use adsum_keyspace::{Deadline, Notice, Space, Transaction, Value};

use crate::etcd::OnEtcd;
use crate::world::{Commits, DB, Node, World, run, text, until};

#[test]
fn another_timekeeper_takes_over_and_no_key_goes_early() {
    run::<OnEtcd, _>(|mut world| async move {
        let first = world.node().await;
        until("there is a timekeeper", || first.engine.is_timekeeper().then_some(())).await;
        let second = world.node().await;
        assert!(!second.engine.is_timekeeper());
        let mut commits = Commits::of(second.watch(Space::User, second.engine.revision()));
        let begin = Instant::now();
        let set = |tx: &mut Transaction<'_>| {
            let deadline = Deadline::after(1500, tx.now());
            tx.put(DB, "k", Value::String("v".into()), Some(deadline), &[Notice::Set]);
        };
        second.transact(set).await.unwrap();
        // As a kill: its lease is not given back.
        drop(first);
        assert_eq!(commits.notices().await, [("k".to_string(), "set")]);
        until("its time is over", || (begin.elapsed() > Duration::from_millis(1600)).then_some(())).await;
        assert_eq!(second.local(|tx| text(tx, "k")).reply, Some("v".to_string()), "nobody has expired it");
        assert!(!second.engine.is_timekeeper(), "the lease of the other one was not waited for");
        assert_eq!(commits.notices().await, [("k".to_string(), "expired")]);
        let late = begin.elapsed() - Duration::from_millis(1500);
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
