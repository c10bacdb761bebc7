//! When keys go.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use adsum_keyspace::{Blob, Deadline, Notice, Space, Transaction, Value};
use adsum_model::Revision;

use crate::world::{Commits, DB, Node, World, next, notices, put, text};

/// The lateness is printed: how much of it there is depends on who else uses the machine.
pub(crate) async fn keys_go_on_time_and_never_early<W: World>(mut world: W) {
    let (one, other) = (world.node().await, world.node().await);
    let mut watch = other.watch(Space::User, Revision::ZERO);
    let mut begun = BTreeMap::new();
    for n in 0..30_u64 {
        let (key, ttl) = (format!("k{n}"), 200 + 31 * n);
        // Before it can begin.
        begun.insert(key.clone(), (Instant::now(), Duration::from_millis(ttl)));
        one.transact(|tx| put_for(tx, &key, ttl)).await.unwrap();
    }
    let mut latest = Duration::ZERO;
    while !begun.is_empty() {
        let commits = next(&mut watch).await;
        let seen = Instant::now();
        for (key, _) in commits.iter().flat_map(|commit| notices(commit)).filter(|(_, why)| *why == "expired")
        {
            let (begin, ttl) = begun.remove(&key).expect("a key expires once");
            assert!(seen >= begin + ttl, "{key} went {:?} early", begin + ttl - seen);
            latest = latest.max(seen - begin - ttl);
        }
    }
    println!("{}: 30 keys went at most {latest:?} late, the time to write them included", W::NAME);
    assert!(other.local(|tx| tx.keys(DB).iter().next().is_none()).reply);
}

fn put_for(tx: &mut Transaction<'_>, key: &str, ttl: u64) {
    let deadline = Deadline::after(ttl, tx.now());
    tx.put(DB, key, Value::String("v".into()), Some(deadline), &[Notice::Set, Notice::Expire]);
}

pub(crate) async fn a_key_that_was_renewed_stays<W: World>(mut world: W) {
    let (one, other) = (world.node().await, world.node().await);
    let mut watch = other.watch(Space::User, Revision::ZERO);
    // Long enough for the other to come in time, on any machine.
    let set =
        |tx: &mut Transaction<'_>| ["renewed", "persisted", "replaced"].map(|key| put_for(tx, key, 3000));
    one.transact(set).await.unwrap();
    let keep = |tx: &mut Transaction<'_>| {
        let later = Deadline::after(60_000, tx.now());
        tx.set_deadline(DB, b"renewed", Some(later), Notice::Expire);
        tx.set_deadline(DB, b"persisted", None, Notice::Persist);
        put(tx, "replaced", "w");
        put_for(tx, "mark", 3200);
    };
    other.transact(keep).await.unwrap();
    // What is due later has gone by now.
    loop {
        let commits = next(&mut watch).await;
        let expired: Vec<_> =
            commits.iter().flat_map(|commit| notices(commit)).filter(|(_, why)| *why == "expired").collect();
        if !expired.is_empty() {
            assert_eq!(expired, [("mark".to_string(), "expired")]);
            break;
        }
    }
    let left =
        |tx: &mut Transaction<'_>| ["renewed", "persisted", "replaced"].map(|key| text(tx, key).is_some());
    assert_eq!(one.transact(left).await.unwrap().reply, [true; 3]);
}

pub(crate) async fn a_deadline_of_the_wall_clock_is_kept<W: World>(mut world: W) {
    let (one, other) = (world.node().await, world.node().await);
    let mut commits = Commits::of(other.watch(Space::User, Revision::ZERO));
    let wall = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let at = wall() + 1500;
    let set = |tx: &mut Transaction<'_>| {
        tx.put(DB, "k", Value::String(Blob::from("v")), Some(Deadline::wall(at)), &[Notice::Set]);
    };
    one.transact(set).await.unwrap();
    assert_eq!(commits.notices().await, [("k".to_string(), "set")]);
    assert_eq!(commits.notices().await, [("k".to_string(), "expired")]);
    assert!(wall() >= at, "it went {} ms early", at - wall());
}
