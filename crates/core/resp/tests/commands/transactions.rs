//! MULTI, EXEC, WATCH: one commit or none.

use crate::harness::{World, check};

#[test]
fn queued_commands_are_answered_together() {
    check(
        "
        MULTI -> +OK
        SET a 1 -> +QUEUED
        INCR a -> +QUEUED
        LPUSH a x -> +QUEUED
        GET a -> +QUEUED
        EXEC -> *4 +OK :2 -WRONGTYPE Operation against a key holding the wrong kind of value $1 2
        GET a -> $1 2
        EXEC -> -ERR EXEC without MULTI
        MULTI -> +OK
        EXEC -> *0
        ",
    );
}

#[test]
fn a_refused_command_discards_the_transaction() {
    check(
        "
        MULTI -> +OK
        SET a 1 -> +QUEUED
        GET -> -ERR wrong number of arguments for 'get' command
        EXEC -> -EXECABORT Transaction discarded because of previous errors.
        GET a -> $-1
        MULTI -> +OK
        NOSUCH -> -ERR unknown command 'NOSUCH', with args beginning with:
        SET a 1 -> +QUEUED
        DISCARD -> +OK
        DISCARD -> -ERR DISCARD without MULTI
        MULTI -> +OK
        MULTI -> -ERR MULTI calls can not be nested
        WATCH a -> -ERR WATCH inside MULTI is not allowed
        SET a 2 -> +QUEUED
        EXEC -> *1 +OK
        ",
    );
}

#[test]
fn a_transaction_is_one_revision_and_one_notification_each() {
    let mut world = World::new();
    let (mut writer, mut watcher) = (world.connect(), world.connect());
    world.run(&mut watcher, "PSUBSCRIBE __keyevent@0__:*");
    watcher.received();
    world.run(&mut writer, "MULTI");
    world.run(&mut writer, "SET a 1");
    world.run(&mut writer, "PUBLISH c m");
    world.run(&mut writer, "SET b 2");
    assert_eq!(watcher.received(), "");
    world.run(&mut writer, "EXEC");
    assert_eq!(world.server.keyspace().revision().0, 1);
    assert_eq!(watcher.received().matches("pmessage").count(), 2);
}

#[test]
fn blocking_commands_do_not_wait_in_a_transaction() {
    check(
        "
        MULTI -> +OK
        BLPOP q 0 -> +QUEUED
        BLMOVE q r LEFT LEFT 0 -> +QUEUED
        RPUSH q x -> +QUEUED
        BLPOP q 0 -> +QUEUED
        LOCK l me PX 1000 -> +QUEUED
        LOCK l you PX 1000 WAIT 0 -> +QUEUED
        SELECT 1 -> +QUEUED
        SET in-one 1 -> +QUEUED
        EXEC -> *8 *-1 $-1 :1 *2 $1 q $1 x :1 $-1 +OK +OK
        GET in-one -> $1 1
        ",
    );
}

#[test]
fn blocked_clients_are_served_after_the_whole_transaction() {
    let mut world = World::new();
    let (mut writer, mut waiter) = (world.connect(), world.connect());
    world.run(&mut waiter, "BLPOP q 0");
    for line in ["MULTI", "RPUSH q a", "LPOP q", "RPUSH q b"] {
        world.run(&mut writer, line);
    }
    assert_eq!(waiter.received(), "");
    assert_eq!(world.run(&mut writer, "EXEC"), "*3 :1 $1 a :1");
    assert_eq!(waiter.received(), "*2 $1 q $1 b");
}

/// What happens between WATCH and EXEC, and whether the EXEC is to go through.
#[track_caller]
fn watched(before: &[&str], between: &[&str], goes_through: bool) {
    let mut world = World::new();
    let (mut watcher, mut other) = (world.connect(), world.connect());
    before.iter().for_each(|line| drop(world.run(&mut other, line)));
    world.run(&mut watcher, "WATCH a b");
    for line in between {
        match line.strip_prefix('>') {
            Some(millis) => world.pass(millis.parse().unwrap()),
            None => drop(world.run(&mut other, line)),
        }
    }
    world.run(&mut watcher, "MULTI");
    world.run(&mut watcher, "SET a mine");
    let expected = if goes_through { "*1 +OK" } else { "*-1" };
    assert_eq!(world.run(&mut watcher, "EXEC"), expected, "{before:?} {between:?}");
    // Whatever came of it, nothing is watched any more.
    world.run(&mut other, "SET a theirs");
    world.run(&mut watcher, "MULTI");
    assert_eq!(world.run(&mut watcher, "EXEC"), "*0");
}

#[test]
fn a_touched_key_keeps_the_transaction_from_running() {
    watched(&[], &[], true);
    watched(&[], &["SET c 1"], true);
    watched(&[], &["SET b 1"], false);
    watched(&[], &["SET a 1", "DEL a"], false);
    watched(&["SET a 1"], &["SET a 1"], false);
    watched(&["SET a 1"], &["GET a", "EXISTS a"], true);
    watched(&["SET a 1"], &["EXPIRE a 100"], false);
    watched(&["SET a 1 PX 10"], &[">20"], false);
    watched(&["SET a 1 PX 10", "PERSIST a"], &[">20"], true);
    watched(&["SET a 1"], &["RENAME a z"], false);
    watched(&["SET a 1"], &["FLUSHDB"], false);
    watched(&["SET z 1"], &["FLUSHDB"], true);
    watched(&["SET a 1"], &["SELECT 1", "SET a 2"], true);
}

#[test]
fn what_groups_know_of_a_stream_is_no_change_of_it() {
    let stream = [
        "XADD a 1-1 f v",
        "XADD a 2-1 f v",
        "XGROUP CREATE a g 0",
        "XREADGROUP GROUP g me COUNT 1 STREAMS a >",
    ];
    for goes_through in [
        "XGROUP CREATE a h $",
        "XGROUP SETID a g $",
        "XGROUP CREATECONSUMER a g you",
        "XGROUP DELCONSUMER a g me",
        "XGROUP DESTROY a g",
        "XREADGROUP GROUP g you STREAMS a >",
        "XREADGROUP GROUP g you STREAMS a 0",
        "XACK a g 1-1",
        "XCLAIM a g you 0 1-1",
        "XAUTOCLAIM a g you 0 0",
        "XSETID a 9-1",
    ] {
        watched(&stream, &[goes_through], true);
    }
    for touches in ["XADD a * f v", "XDEL a 1-1", "XTRIM a MAXLEN 1", "DEL a"] {
        watched(&stream, &[touches], false);
    }
    watched(&[], &["XGROUP CREATE a g 0 MKSTREAM"], false);
    let made_anew = ["MULTI", "DEL a", "XGROUP CREATE a g $ MKSTREAM", "EXEC"];
    watched(&stream, &made_anew, false);
    let changed_too = ["MULTI", "XGROUP CREATE a h $", "XADD a 9-9 f v", "XDEL a 9-9", "EXEC"];
    watched(&stream, &changed_too, false);
    watched(&stream, &["MULTI", "XGROUP CREATE a h $", "XGROUP DESTROY a h", "EXEC"], true);
}

#[test]
fn unwatch_reset_and_a_lost_connection_end_the_watch() {
    let mut world = World::new();
    let (mut watcher, mut other) = (world.connect(), world.connect());
    world.run(&mut watcher, "WATCH a");
    world.run(&mut other, "SET a 1");
    assert_eq!(world.run(&mut watcher, "UNWATCH"), "+OK");
    world.run(&mut watcher, "MULTI");
    assert_eq!(world.run(&mut watcher, "EXEC"), "*0");
    world.run(&mut watcher, "MULTI");
    assert_eq!(world.run(&mut watcher, "RESET"), "+RESET");
    assert_eq!(world.run(&mut watcher, "GET a"), "$1 1");
    world.run(&mut watcher, "WATCH a");
    world.server.disconnect(watcher.session);
    assert_eq!(world.run(&mut other, "SET a 2"), "+OK");
}

#[test]
fn a_queue_without_end_is_refused_in_time() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.run(&mut peer, "MULTI");
    let line = format!("SET a {}", "x".repeat(4 * 1024 * 1024));
    let refused = (0..20).map(|_| world.run(&mut peer, &line)).find(|reply| reply != "+QUEUED");
    let refused = refused.expect("the queue has an end");
    assert!(
        refused.starts_with("-TXNTOOBIG a transaction has 100000 commands of 67108864 bytes at most"),
        "{refused}"
    );
    assert!(world.run(&mut peer, "EXEC").starts_with("-EXECABORT"));
    assert_eq!(world.run(&mut peer, "GET a"), "$-1");
}

#[test]
fn effects_over_the_limit_leave_nothing() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.run(&mut peer, &format!("SET big {}", "x".repeat(7 * 1024 * 1024)));
    world.run(&mut peer, "SET a before");
    world.run(&mut peer, "MULTI");
    world.run(&mut peer, "SET a after");
    // Each leaves the bytes of the whole value in the commit: little is queued, much is done.
    for n in 0..1000 {
        world.run(&mut peer, &format!("SETRANGE big {n} y"));
    }
    let refused = world.run(&mut peer, "EXEC");
    assert!(refused.starts_with("-TXNTOOBIG the transaction changes"), "{refused}");
    assert_eq!(world.run(&mut peer, "GET a"), "$6 before");
}

#[test]
fn replies_over_the_limit_leave_nothing() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.run(&mut peer, &format!("SET big {}", "x".repeat(7 * 1024 * 1024)));
    world.run(&mut peer, "MULTI");
    world.run(&mut peer, "SET a 1");
    for _ in 0..1000 {
        world.run(&mut peer, "GET big");
    }
    assert!(world.run(&mut peer, "EXEC").starts_with("-TXNTOOBIG the replies"));
    assert_eq!(world.run(&mut peer, "GET a"), "$-1");
}

#[test]
fn a_command_that_fails_takes_no_other_ones_reply_with_it() {
    check(
        "
        SET s x
        MULTI
        LOCK l me PX 1000 -> +QUEUED
        LPUSH s y -> +QUEUED
        SET a 1 FENCE l 99 -> +QUEUED
        FENCE l -> +QUEUED
        EXEC -> *4 :2 -WRONGTYPE Operation against a key holding the wrong kind of value -FENCED 2 :2
        ",
    );
}

#[test]
fn one_transaction_grants_very_many_locks() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.run(&mut peer, "MULTI");
    for n in 0..50_000 {
        world.run(&mut peer, &format!("LOCK k{n} me PX 60000"));
    }
    let reply = world.run(&mut peer, "EXEC");
    assert_eq!(reply, format!("*50000{}", " :1".repeat(50_000)));
}

#[test]
fn a_client_that_kills_itself_in_a_transaction_is_closed_after_its_reply() {
    let mut world = World::new();
    let mut peer = world.connect();
    let id = world.run(&mut peer, "CLIENT ID")[1..].to_owned();
    world.run(&mut peer, "MULTI");
    world.run(&mut peer, &format!("CLIENT KILL ID {id} SKIPME no"));
    assert!(matches!(world.execute(&mut peer, "EXEC"), adsum_resp::Flow::Close));
    assert_eq!(peer.received(), "+OK +QUEUED *1 :1".trim_start_matches("+OK +QUEUED "));
}
