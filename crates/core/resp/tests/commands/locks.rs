//! LOCK, RENEW, UNLOCK, FENCE and fenced writes.

use adsum_keyspace::{Notice, Space};
use adsum_model::Revision;

use crate::harness::{World, check};

#[test]
fn a_lock_has_the_revision_of_its_grant_as_fence() {
    check(
        "
        SET x 1
        LOCK l me PX 1000 -> :2
        FENCE l -> :2
        GET l -> $2 me
        LOCK l you PX 1000 -> $-1
        RENEW l 2 PX 5000 -> +OK
        PTTL l -> :5000
        RENEW l 1 PX 5000 -> -FENCED 2
        UNLOCK l 1 -> -FENCED 2
        UNLOCK l 2 -> +OK
        UNLOCK l 2 -> -FENCED 0
        FENCE l -> $-1
        LOCK l you PX 1000 -> :5
        >1001 FENCE l -> $-1
        RENEW l 5 PX 1000 -> -FENCED 0
        SET l them NX PX 1000 -> +OK
        FENCE l -> :7
        ",
    );
}

#[test]
fn a_write_is_taken_only_under_the_fence_that_holds() {
    check(
        "
        LOCK l me PX 1000 -> :1
        SET a 1 FENCE l 1 -> +OK
        SET a 2 FENCE l 2 -> -FENCED 1
        SET a 2 FENCE other 1 -> -FENCED 0
        >1001 SET a 2 FENCE l 1 -> -FENCED 0
        LOCK l you PX 1000 -> :4
        SET a 2 FENCE l 1 -> -FENCED 4
        SET a 2 PX 500 FENCE l 4 GET -> $1 1
        PTTL a -> :500
        SET a 3 FENCE l -> -ERR syntax error
        SET a 3 FENCE l x -> -ERR value is not an integer or out of range
        ",
    );
}

#[test]
fn mistakes_are_told() {
    check(
        "
        LOCK l me -> -ERR wrong number of arguments for 'lock' command
        LOCK l me EX 1 -> -ERR syntax error
        LOCK l me PX 0 -> -ERR invalid expire time in 'lock' command
        LOCK l me PX x -> -ERR value is not an integer or out of range
        LOCK l me PX 1 WAIT -> -ERR syntax error
        LOCK l me PX 1 WAIT -1 -> -ERR timeout is negative
        LOCK l me PX 1 LIMIT 0 -> -ERR LIMIT is 1 to 1000
        LOCK l me PX 1 LIMIT 1001 -> -ERR LIMIT is 1 to 1000
        RENEW l x PX 1 -> -ERR value is not an integer or out of range
        ",
    );
}

#[test]
fn the_oldest_waiter_gets_a_lock_that_is_released_or_expires() {
    let mut world = World::new();
    let (mut holder, mut first, mut second) = (world.connect(), world.connect(), world.connect());
    assert_eq!(world.run(&mut holder, "LOCK l a PX 1000"), ":1");
    assert_eq!(world.run(&mut first, "LOCK l b PX 1000 WAIT 0"), "");
    assert_eq!(world.run(&mut second, "LOCK l c PX 1000 WAIT 0"), "");
    assert_eq!(world.run(&mut holder, "UNLOCK l 1"), "+OK");
    assert_eq!((first.received().as_str(), second.received().as_str()), (":3", ""));
    world.pass(1001);
    assert_eq!(second.received(), ":5");
    assert_eq!(world.run(&mut holder, "GET l"), "$1 c");
}

#[test]
fn a_waiter_gives_up_in_time_and_leaves_the_queue() {
    let mut world = World::new();
    let (mut holder, mut first, mut second) = (world.connect(), world.connect(), world.connect());
    world.run(&mut holder, "LOCK l a PX 1000");
    world.run(&mut first, "LOCK l b PX 1000 WAIT 10");
    world.run(&mut second, "LOCK l c PX 1000 WAIT 0");
    world.server.time_out(&mut first.session, world.now);
    assert_eq!(first.received(), "$-1");
    world.run(&mut holder, "FLUSHDB");
    assert_eq!((first.received().as_str(), second.received().as_str()), ("", ":3"));
}

#[test]
fn a_waiter_whose_connection_is_lost_is_passed_over() {
    let mut world = World::new();
    let (mut holder, mut first, mut second) = (world.connect(), world.connect(), world.connect());
    world.run(&mut holder, "LOCK l a PX 1000");
    world.run(&mut first, "LOCK l b PX 1000 WAIT 0");
    world.run(&mut second, "LOCK l c PX 1000 WAIT 0");
    first.outbox.sent.lock().unwrap().closed = true;
    world.run(&mut holder, "DEL l");
    assert_eq!(second.received(), ":3");
}

#[test]
fn a_semaphore_has_as_many_holders_as_it_may() {
    let mut world = World::new();
    let mut peers: Vec<_> = (0..4).map(|_| world.connect()).collect();
    let mut lock =
        |world: &mut World, at: usize| world.run(&mut peers[at], "LOCK s me PX 1000 WAIT 0 LIMIT 2");
    assert_eq!(lock(&mut world, 0), "*2 $3 s:1 :1");
    assert_eq!(lock(&mut world, 1), "*2 $3 s:2 :2");
    assert_eq!(lock(&mut world, 2), "");
    assert_eq!(lock(&mut world, 3), "");
    assert_eq!(world.run(&mut peers[0], "SET a 1 FENCE s:2 2"), "+OK");
    assert_eq!(world.run(&mut peers[1], "UNLOCK s:2 2"), "+OK");
    assert_eq!(peers[2].received(), "*2 $3 s:2 :5");
    assert_eq!(world.run(&mut peers[0], "UNLOCK s:1 1"), "+OK");
    assert_eq!(peers[3].received(), "*2 $3 s:1 :7");
}

#[test]
fn a_fence_is_known_within_its_own_transaction() {
    check(
        "
        SET x 1
        MULTI
        LOCK l me PX 1000 -> +QUEUED
        FENCE l -> +QUEUED
        SET a 1 FENCE l 2 -> +QUEUED
        LOCK s me PX 1000 LIMIT 3 -> +QUEUED
        EXEC -> *4 :2 :2 +OK *2 $3 s:1 :2
        ",
    );
}

#[test]
fn a_lock_that_another_client_deletes_is_noted_and_ones_own_is_not() {
    let mut world = World::new();
    let (mut holder, mut other) = (world.connect(), world.connect());
    let mut broken = |make: &str, line: &str, own: bool| {
        world.run(&mut holder, make);
        let before = world.server.keyspace().revision();
        world.run(if own { &mut holder } else { &mut other }, line);
        let commits = world.server.keyspace().after(Space::User, before).unwrap();
        let notices =
            commits.flat_map(|commit| commit.changes.iter().flat_map(|change| change.notices.to_vec()));
        let broken = notices.filter(|notice| *notice == Notice::LockBroken).count() == 1;
        world.run(&mut holder, "FLUSHALL");
        broken
    };
    let lock = "LOCK l me PX 1000";
    assert!(broken(lock, "DEL l", false));
    assert!(broken(lock, "UNLINK l", false));
    assert!(!broken(lock, "DEL l", true));
    assert!(!broken(lock, "DELEX l IFEQ me", false));
    assert!(!broken(lock, "SET other 1", false));
    assert!(!broken("SET l me NX PX 1000", "DEL l", false));
    let mut watcher = world.connect();
    world.run(&mut holder, "LOCK l me PX 1000");
    world.run(&mut watcher, "PSUBSCRIBE *");
    watcher.received();
    world.run(&mut other, "DEL l");
    assert_eq!(watcher.received().matches("pmessage").count(), 2, "Redis' own event alone is told");
}

#[test]
fn fences_of_a_key_only_grow() {
    let mut world = World::new();
    let mut peer = world.connect();
    let mut last = Revision::ZERO.0;
    for n in 0..50 {
        let fence: u64 = world.run(&mut peer, "LOCK l me PX 10")[1..].parse().unwrap();
        assert!(fence > last);
        last = fence;
        match n % 3 {
            0 => drop(world.run(&mut peer, &format!("UNLOCK l {fence}"))),
            1 => drop(world.run(&mut peer, "DEL l")),
            _ => world.pass(11),
        }
    }
}

#[test]
fn the_name_of_a_semaphore_has_an_end() {
    let mut world = World::new();
    let mut peer = world.connect();
    let long = "s".repeat(1025);
    let refused = world.run(&mut peer, &format!("LOCK {long} me PX 1 LIMIT 2"));
    assert_eq!(refused, "-ERR the name of a semaphore has 1024 bytes at most");
    assert_eq!(world.run(&mut peer, &format!("LOCK {long} me PX 1")), ":1");
}

#[test]
fn what_is_renamed_onto_a_lock_ends_it() {
    check(
        "
        LOCK l me PX 60000 -> :1
        SET x y
        RENAME x l
        RENEW l 1 PX 1000 -> -FENCED 3
        ",
    );
}
