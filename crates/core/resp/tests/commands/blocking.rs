//! Who waits for a list, who is served, in which order.

use std::time::Duration;

use adsum_resp::{Flow, Wake};

use super::harness::{Peer, World, check};

fn block(world: &mut World, peer: &mut Peer, line: &str) -> Option<Duration> {
    match world.send(peer, format!("{line}\r\n").as_bytes()) {
        Flow::Blocked { timeout } => timeout,
        flow => panic!("{line}: {flow:?}, {}", peer.received()),
    }
}

#[test]
fn a_blocking_command_does_not_block_when_there_is_something() {
    check(
        "
        RPUSH b 1 2 3 4 -> :4
        BLPOP a b 0 -> *2 $1 b $1 1
        BRPOP b a 0 -> *2 $1 b $1 4
        BLMOVE b c LEFT RIGHT 0 -> $1 2
        BRPOPLPUSH b c 0 -> $1 3
        BLMPOP 0 2 b c RIGHT COUNT 5 -> *2 $1 c *2 $1 2 $1 3
        BLPOP a x -> -ERR timeout is not a float or out of range
        BLPOP a -1 -> -ERR timeout is negative
        BLPOP a inf -> -ERR timeout is not a float or out of range
        BLPOP a 1e300 -> -ERR timeout is out of range
        BLMPOP x 1 a LEFT -> -ERR timeout is not a float or out of range
        ",
    );
}

#[test]
fn waiters_are_served_in_order_of_arrival() {
    let mut world = World::new();
    let [mut first, mut second, mut third, mut writer] = [(); 4].map(|()| world.connect());
    block(&mut world, &mut first, "BLPOP q 0");
    block(&mut world, &mut second, "BRPOP other q 0");
    block(&mut world, &mut third, "BLPOP q 0");
    assert_eq!(world.run(&mut writer, "RPUSH q a b"), ":2");
    assert_eq!(first.received(), "*2 $1 q $1 a");
    assert_eq!(second.received(), "*2 $1 q $1 b");
    assert_eq!(third.received(), "");
    assert_eq!(first.outbox.sent.lock().unwrap().wakes, [Wake::Unblocked]);
    assert!(!second.session.is_blocked() && third.session.is_blocked());
    assert_eq!(world.run(&mut writer, "RPUSH other x"), ":1");
    assert_eq!(second.received(), "");
    assert_eq!(world.run(&mut writer, "LLEN other"), ":1");
}

#[test]
fn each_service_is_a_transaction_of_its_own() {
    let mut world = World::new();
    let [mut first, mut second, mut writer] = [(); 3].map(|()| world.connect());
    block(&mut world, &mut first, "BLPOP q 0");
    block(&mut world, &mut second, "BLPOP q 0");
    world.run(&mut writer, "RPUSH q a b c");
    let revisions: Vec<u64> = world.server.take_commits().map(|commit| commit.revision.0).collect();
    assert_eq!(revisions, [1, 2, 3]);
    let revision = |peer: &Peer| peer.outbox.sent.lock().unwrap().revisions.last().copied().unwrap().0;
    assert_eq!((revision(&first), revision(&second), revision(&writer)), (2, 3, 3));
}

#[test]
fn what_is_moved_serves_who_waits_for_it_there() {
    let mut world = World::new();
    let [mut mover, mut end, mut writer] = [(); 3].map(|()| world.connect());
    block(&mut world, &mut end, "BLPOP c 0");
    block(&mut world, &mut mover, "BLMOVE b c LEFT RIGHT 0");
    let mut first = world.connect();
    block(&mut world, &mut first, "BRPOPLPUSH a b 0");
    assert_eq!(world.run(&mut writer, "LPUSH a x"), ":1");
    assert_eq!(first.received(), "$1 x");
    assert_eq!(mover.received(), "$1 x");
    assert_eq!(end.received(), "*2 $1 c $1 x");
    assert_eq!(world.run(&mut writer, "DBSIZE"), ":0");
}

#[test]
fn every_way_to_make_a_list_serves() {
    for make in ["RENAME made q", "COPY made q", "LMOVE made q LEFT LEFT", "LINSERT q BEFORE a b"] {
        let mut world = World::new();
        let [mut waiter, mut writer] = [(); 2].map(|()| world.connect());
        world.run(&mut writer, "RPUSH made a");
        block(&mut world, &mut waiter, "BLMPOP 0 1 q LEFT COUNT 9");
        world.run(&mut writer, make);
        let expected = if make.starts_with("LINSERT") { "" } else { "*2 $1 q *1 $1 a" };
        assert_eq!(waiter.received(), expected, "{make}");
    }
    let mut world = World::new();
    let mut waiter = world.connect();
    block(&mut world, &mut waiter, "BLPOP q 0");
    world
        .server
        .transact(world.now, |tx| {
            let database = adsum_keyspace::Database::User(0);
            tx.splice(
                database,
                b"q",
                0,
                0,
                smallvec::smallvec!["a".into()],
                &[adsum_keyspace::Notice::Rpush],
            );
        })
        .unwrap();
    assert_eq!(waiter.received(), "*2 $1 q $1 a");
}

#[test]
fn a_waiter_of_another_database_waits_on() {
    let mut world = World::new();
    let [mut waiter, mut writer] = [(); 2].map(|()| world.connect());
    world.run(&mut waiter, "SELECT 1");
    block(&mut world, &mut waiter, "BLPOP q 0");
    assert_eq!(world.run(&mut writer, "RPUSH q a"), ":1");
    assert_eq!(waiter.received(), "");
    world.run(&mut writer, "SELECT 1");
    assert_eq!(world.run(&mut writer, "SET q now-a-string"), "+OK");
    assert_eq!(waiter.received(), "");
    world.run(&mut writer, "DEL q");
    world.run(&mut writer, "RPUSH q b");
    assert_eq!(waiter.received(), "*2 $1 q $1 b");
}

#[test]
fn a_move_to_a_key_of_another_type_fails_and_loses_nothing() {
    let mut world = World::new();
    let [mut first, mut second, mut writer] = [(); 3].map(|()| world.connect());
    block(&mut world, &mut first, "BLMOVE q s LEFT LEFT 0");
    block(&mut world, &mut second, "BLPOP q 0");
    world.run(&mut writer, "SET s x");
    world.run(&mut writer, "RPUSH q a");
    assert_eq!(first.received(), "-WRONGTYPE Operation against a key holding the wrong kind of value");
    assert_eq!(second.received(), "*2 $1 q $1 a");
}

#[test]
fn a_time_out_answers_null_unless_the_client_was_served() {
    let mut world = World::new();
    let [mut waiter, mut writer] = [(); 2].map(|()| world.connect());
    assert_eq!(block(&mut world, &mut waiter, "BLPOP q 0.1"), Some(Duration::from_millis(100)));
    world.server.time_out(&mut waiter.session, world.now);
    assert_eq!(waiter.received(), "*-1");
    assert_eq!(world.run(&mut writer, "RPUSH q a"), ":1");
    assert_eq!(waiter.received(), "");
    world.run(&mut writer, "DEL q");
    assert_eq!(block(&mut world, &mut waiter, "BLPOP q 0"), None);
    world.run(&mut writer, "RPUSH q b");
    world.server.time_out(&mut waiter.session, world.now);
    assert_eq!(waiter.received(), "*2 $1 q $1 b");
    assert_eq!(block(&mut world, &mut waiter, "BLPOP q 0.0001"), Some(Duration::from_millis(1)));
}

#[test]
fn nothing_is_popped_for_a_client_that_is_gone() {
    let mut world = World::new();
    let [mut gone, mut killed, mut closed, mut waiter, mut writer] = [(); 5].map(|()| world.connect());
    for peer in [&mut gone, &mut killed, &mut closed, &mut waiter] {
        block(&mut world, peer, "BLPOP q 0");
    }
    world.server.disconnect(gone.session);
    let id = killed.session.id();
    assert_eq!(world.run(&mut writer, &format!("CLIENT KILL ID {id}")), ":1");
    closed.outbox.sent.lock().unwrap().closed = true;
    world.run(&mut writer, "RPUSH q a");
    assert_eq!(waiter.received(), "*2 $1 q $1 a");
    assert_eq!(killed.received() + &closed.received(), "");
    assert_eq!(killed.outbox.sent.lock().unwrap().wakes, [Wake::Close("killed by CLIENT KILL")]);
}

#[test]
fn a_waiter_is_not_woken_by_what_has_become_something_else() {
    let mut world = World::new();
    let (mut waiter, mut writer) = (world.connect(), world.connect());
    block(&mut world, &mut waiter, "BLPOP k 0");
    for line in ["MULTI", "RPUSH k a", "DEL k", "SET k v", "EXEC", "DEL k"] {
        world.run(&mut writer, line);
    }
    assert_eq!(waiter.received(), "");
    world.run(&mut writer, "RPUSH k b");
    assert_eq!(waiter.received(), "*2 $1 k $1 b");
}

#[test]
fn a_client_that_wants_no_reply_gets_none_when_it_is_served() {
    for (off, expected) in [("CLIENT REPLY SKIP", "*2 $1 q $1 b"), ("CLIENT REPLY OFF", "")] {
        let mut world = World::new();
        let (mut waiter, mut writer) = (world.connect(), world.connect());
        world.run(&mut waiter, off);
        block(&mut world, &mut waiter, "BLPOP q 0");
        world.run(&mut writer, "RPUSH q a");
        assert_eq!(waiter.received(), "", "{off}");
        block(&mut world, &mut waiter, "BLPOP q 0");
        world.run(&mut writer, "RPUSH q b");
        assert_eq!(waiter.received(), expected, "{off}");
    }
}
