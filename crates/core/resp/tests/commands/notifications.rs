//! Keyspace notifications, exactly and in order.

use std::time::Duration;

use adsum_keyspace::{Database, Notice, Value};
use adsum_resp::Flow;

use super::harness::{Peer, World};
use super::scripts::{self, patiently};

/// The events that `script` causes in database 0, as `event key` words; a line may begin with `>MILLIS`.
#[track_caller]
fn check(script: &str, expected: &str) {
    let mut world = World::new();
    let [mut watcher, mut writer] = [(); 2].map(|()| world.connect());
    for line in script.split(';') {
        if line.trim().starts_with('!') {
            world.run(&mut watcher, "PSUBSCRIBE __key*@0__:*");
            continue;
        }
        match line.trim().strip_prefix('>') {
            Some(millis) => world.pass(millis.parse().unwrap()),
            None => {
                world.run(&mut writer, line.trim());
            }
        }
    }
    assert_eq!(events(&watcher.received()), expected, "{script}");
}

/// `keyspace` and `keyevent` messages come in pairs; each pair becomes `event key`.
#[track_caller]
fn events(received: &str) -> String {
    let words: Vec<&str> =
        received.split(' ').filter(|word| !word.is_empty() && !word.starts_with(['*', '$'])).collect();
    let mut events = Vec::new();
    for pair in words.chunks(8) {
        let ["pmessage", _, keyspace, event, "pmessage", _, keyevent, key] = pair else {
            panic!("{pair:?}");
        };
        assert_eq!(*keyspace, format!("__keyspace@0__:{key}"));
        assert_eq!(*keyevent, format!("__keyevent@0__:{event}"));
        events.push(format!("{event} {key}"));
    }
    events.join(", ")
}

#[test]
fn every_command_has_the_events_of_redis() {
    for (script, expected) in [
        ("!; SET a 1", "set a"),
        ("!; SET a 1 EX 10", "set a, expire a"),
        ("!; SETEX a 10 1", "set a, expire a"),
        ("!; SET a 1 KEEPTTL", "set a"),
        ("!; SETNX a 1; SETNX a 2", "set a"),
        ("!; SET a 1; SET a 2 NX; SET a 2 IFEQ 3", "set a"),
        ("!; MSET a 1 b 2 a 3", "set a, set b, set a"),
        ("SET a 1; !; GETSET a 2; GETDEL a; GETDEL a", "set a, del a"),
        ("SET a 1; !; GETEX a; GETEX a EX 10; GETEX a PERSIST; GETEX a PERSIST", "expire a, persist a"),
        ("!; APPEND a 1; APPEND a 2; SETRANGE a 0 x", "append a, append a, setrange a"),
        ("!; INCR a; DECRBY a 4; INCRBYFLOAT a 1", "incrby a, incrby a, incrbyfloat a"),
        ("MSET a 1 b 2; !; DEL a nope b; UNLINK a", "del a, del b"),
        ("SET a 1; !; DELEX a IFEQ 2; DELEX a IFEQ 1", "del a"),
        ("SET a 1; !; EXPIRE a 10; PERSIST a; PERSIST a; EXPIRE nope 1", "expire a, persist a"),
        ("SET a 1; !; EXPIRE a -1", "del a"),
        ("SET a 1; !; EXPIREAT a 1", "del a"),
        ("SET a 1; !; PEXPIRE a 100; >100; >1", "expire a, expired a"),
        ("SET a 1; !; RENAME a b; RENAME b b", "rename_from a, rename_to b"),
        ("SET a 1; !; COPY a b; MOVE a 3", "copy_to b, move_from a"),
        ("!; RPUSH l a b; LPUSH l c; LPUSHX nope x", "rpush l, lpush l"),
        ("RPUSH l a b c; !; LPOP l; RPOP l; LPOP l", "lpop l, rpop l, lpop l, del l"),
        ("RPUSH l a b c; !; LPOP l 0; LPOP l 9", "lpop l, del l"),
        ("RPUSH l a b c; !; LSET l 0 x; LINSERT l BEFORE x y; LREM l 0 nope", "lset l, linsert l"),
        ("RPUSH l a b a; !; LREM l 0 a; LREM l 1 b", "lrem l, lrem l, del l"),
        ("RPUSH l a b c; !; LTRIM l 1 1; LTRIM l 5 5", "ltrim l, ltrim l, del l"),
        ("RPUSH l a; !; LMOVE l m LEFT RIGHT", "rpush m, lpop l, del l"),
        ("RPUSH l a; !; LMOVE l l LEFT LEFT", "lpush l, lpop l"),
        ("RPUSH l a b; !; LMPOP 1 l RIGHT COUNT 2", "rpop l, del l"),
        ("SET a 1; !; FLUSHDB", ""),
        ("SET a 1; !; GET a; TTL a; TYPE a; KEYS *; EXISTS a", ""),
    ] {
        check(script, expected);
    }
}

#[test]
fn a_served_client_causes_its_events_after_those_of_the_push() {
    let mut world = World::new();
    let [mut watcher, mut waiter, mut writer] = [(); 3].map(|()| world.connect());
    world.run(&mut watcher, "PSUBSCRIBE __key*__:*");
    watcher.received();
    world.run(&mut waiter, "BLMOVE q done LEFT RIGHT 0");
    world.run(&mut writer, "RPUSH q a");
    assert_eq!(events(&watcher.received()), "rpush q, rpush done, lpop q, del q");
}

#[test]
fn another_faces_writes_are_told_and_the_systems_are_not() {
    let mut world = World::new();
    let mut watcher = world.connect();
    world.run(&mut watcher, "PSUBSCRIBE __key*__:*");
    watcher.received();
    world
        .server
        .transact(world.now, |tx| {
            tx.put(Database::System, "catalog", Value::String("x".into()), None, &[Notice::Set]);
            tx.put(Database::User(0), "kv", Value::String("x".into()), None, &[Notice::Set]);
            tx.publish("news".into(), "hello".into());
        })
        .unwrap();
    assert_eq!(events(&watcher.received()), "set kv");
    world.run(&mut watcher, "SUBSCRIBE news");
    watcher.received();
    world.server.transact(world.now, |tx| tx.publish("news".into(), "hello".into())).unwrap();
    assert_eq!(watcher.received(), "*3 $7 message $4 news $5 hello");
}

#[test]
fn what_a_transaction_publishes_comes_among_its_events_as_it_was_done() {
    let mut world = World::new();
    let [mut watcher, mut writer] = [(); 2].map(|()| world.connect());
    world.run(&mut watcher, "CONFIG SET notify-keyspace-events KA");
    world.run(&mut watcher, "PSUBSCRIBE *");
    world.run(&mut watcher, "SSUBSCRIBE shard");
    watcher.received();
    let in_a_script = "EVAL \"redis.call('publish','a','1') redis.call('set','x','1') redis.call('spublish','shard','2') \
        redis.call('publish','b','3') redis.call('del','x') redis.call('publish','c','4')\" 0";
    let in_a_row = "MULTI\nPUBLISH a 1\nSET x 1\nSPUBLISH shard 2\nPUBLISH b 3\nDEL x\nPUBLISH c 4\nEXEC";
    // What is told of whom, without the frame and the names of the messages.
    let told = |watcher: &mut Peer| {
        let received = watcher.received();
        let words =
            received.split(' ').filter(|word| !word.starts_with(['*', '$']) && !word.ends_with("message"));
        words.collect::<Vec<_>>().join(" ")
    };
    for requests in [in_a_row, in_a_script] {
        requests.lines().for_each(|request| drop(world.run(&mut writer, request)));
        let expected = "a 1 __keyspace@0__:x set shard 2 b 3 __keyspace@0__:x del c 4";
        assert_eq!(told(&mut watcher), expected, "{requests}");
    }
    world.run(&mut writer, "CONFIG SET notify-keyspace-events ''");
    in_a_row.lines().for_each(|request| drop(world.run(&mut writer, request)));
    assert_eq!(told(&mut watcher), "a 1 shard 2 b 3 c 4");
}

#[test]
fn only_the_classes_that_are_set_are_told() {
    for (classes, expected) in [
        ("", ""),
        ("A", ""),
        ("K$", "__keyspace@0__:a set"),
        ("E$", "__keyevent@0__:set a"),
        ("KEg", "__keyspace@0__:a del __keyevent@0__:del a"),
        ("El", "__keyevent@0__:rpush l"),
        ("Ex", "__keyevent@0__:expired x"),
    ] {
        let mut world = World::new();
        let [mut watcher, mut writer] = [(); 2].map(|()| world.connect());
        assert_eq!(
            world.run(&mut writer, &format!("CONFIG SET notify-keyspace-events \"{classes}\"")),
            "+OK"
        );
        world.run(&mut watcher, "PSUBSCRIBE *");
        watcher.received();
        for line in ["SET a 1", "DEL a", "RPUSH l 1"] {
            world.run(&mut writer, line);
        }
        if classes == "Ex" {
            world.run(&mut writer, "SET x 1 PX 5");
            world.pass(6);
        }
        let received = watcher.received();
        let words = received.split(' ').filter(|word| !word.starts_with(['*', '$']) && *word != "pmessage");
        assert_eq!(words.collect::<Vec<_>>().join(" "), expected, "{classes}");
    }
}

#[test]
fn a_message_waits_for_the_revision_of_its_commit() {
    let mut world = World::new();
    let [mut watcher, mut writer] = [(); 2].map(|()| world.connect());
    world.run(&mut watcher, "SUBSCRIBE __keyevent@0__:set");
    world.run(&mut writer, "SET a 1");
    world.run(&mut writer, "SET b 1");
    let revisions = &watcher.outbox.sent.lock().unwrap().revisions;
    assert_eq!(revisions.iter().map(|revision| revision.0).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn new_and_missed_keys_are_told_of_to_whoever_asks() {
    let on = "CONFIG SET notify-keyspace-events AKEmn; !; ";
    for (script, expected) in [
        ("SET a 1; SET a 2", "new a, set a, set a"),
        ("SET a 1 EX 10; DEL a; APPEND a x", "new a, set a, expire a, del a, new a, append a"),
        ("MULTI; SET a 1; DEL a; RPUSH a x; RPUSH a y; EXEC", "new a, set a, del a, new a, rpush a, rpush a"),
        ("SET a 1; FLUSHALL; SET a 1", "new a, set a, new a, set a"),
        ("MULTI; SET a 1; FLUSHALL; SET a 1; EXEC", "new a, set a, new a, set a"),
        ("SET a 1; RENAME a b", "new a, set a, new b, rename_from a, rename_to b"),
        ("MSET a 1 b 2; RENAME a b", "new a, set a, new b, set b, new b, rename_from a, rename_to b"),
        ("MSET a 1 b 2; COPY a b REPLACE", "new a, set a, new b, set b, new b, copy_to b"),
        ("SADD s x; SUNIONSTORE t s; SUNIONSTORE t s", "new s, sadd s, new t, sunionstore t, sunionstore t"),
        (
            "EVAL 'redis.call(\"incr\",\"a\") return redis.call(\"get\",\"b\")' 0",
            "keymiss b, new a, incrby a",
        ),
        (
            "GET a; MGET a b; EXISTS a; TTL a; OBJECT ENCODING a",
            "keymiss a, keymiss a, keymiss b, keymiss a, keymiss a",
        ),
        (
            "COPY a b; BITOP AND a b; ZUNIONSTORE a 1 b; GETEX a; SORT a STORE b",
            "keymiss a, keymiss b, keymiss b, keymiss a, keymiss a",
        ),
        (
            "XREADGROUP GROUP g c STREAMS a >; XREAD STREAMS b 0; XPENDING a g; XCLAIM a g c 0 1-1; XINFO STREAM a",
            "keymiss a, keymiss b, keymiss a, keymiss a, keymiss a",
        ),
        (
            "XREADGROUP GROUP g c STREAMS a b > >; SET s 1; XREADGROUP GROUP g c STREAMS s a > >",
            "keymiss a, new s, set s",
        ),
        (
            "XGROUP CREATE st g $ MKSTREAM; XREADGROUP GROUP no c STREAMS st a > >; XREADGROUP GROUP g c STREAMS st a > >",
            "new st, xgroup-create st, keymiss a",
        ),
        ("XGROUP CREATE a g 0; XSETID a 1-1; XTRIM a MAXLEN 1; XDEL a 1-1", ""),
        ("SET a 1; GET a; MULTI; DEL a; GET a; EXEC", "new a, set a, keymiss a, del a"),
        ("CONFIG SET notify-keyspace-events AKE; SET a 1; GET b", "set a"),
    ] {
        check(&format!("{on}{script}"), expected);
    }
}

/// What [`check`] cannot type: values of megabytes.
#[track_caller]
fn check_large(lines: &[String], expected: &str) {
    let mut world = World::new();
    let [mut watcher, mut writer] = [(); 2].map(|()| world.connect());
    world.run(&mut writer, "CONFIG SET notify-keyspace-events AKEn");
    for line in lines {
        if line == "!" {
            world.run(&mut watcher, "PSUBSCRIBE __key*@0__:*");
            watcher.received();
            continue;
        }
        assert!(!world.run(&mut writer, line).starts_with('-'));
    }
    assert_eq!(events(&watcher.received()), expected);
}

#[test]
fn a_key_is_not_new_because_its_past_is_too_large_to_be_kept() {
    let set = |key: &str, megabytes: usize| format!("SET {key} {}", "x".repeat(megabytes << 20));
    let [multi, exec, flush, mark] = ["MULTI", "EXEC", "FLUSHALL", "!"].map(str::to_owned);
    // A commit that is forgotten at once.
    let lines =
        [set("a", 1), mark.clone(), multi.clone(), set("a", 7), set("a", 7), set("a", 7), exec.clone()];
    check_large(&lines, "set a, set a, set a");
    // What was emptied is not kept.
    let lines =
        [set("big", 2), set("a", 0) + "1", mark, multi, set("a", 0) + "2", flush, set("a", 0) + "3", exec];
    check_large(&lines, "set a, new a, set a");
}

#[test]
fn each_of_very_many_new_keys_is_told_of() {
    const KEYS: usize = 50_000;
    let mut world = World::new();
    let [mut watcher, mut writer] = [(); 2].map(|()| world.connect());
    world.run(&mut writer, "CONFIG SET notify-keyspace-events AKEn");
    world.run(&mut watcher, "SUBSCRIBE __keyevent@0__:new");
    watcher.received();
    for expected in [KEYS, 0] {
        let mset: Vec<String> = (0..KEYS).map(|n| format!("$6\r\n{n:06}\r\n$1\r\nx\r\n")).collect();
        let mset = format!("*{}\r\n$4\r\nMSET\r\n{}", 1 + 2 * KEYS, mset.concat());
        world.send(&mut writer, mset.as_bytes());
        assert_eq!(writer.received(), "+OK");
        let told = watcher.take();
        assert_eq!(told.windows(9).filter(|bytes| bytes == b"$7\r\nmessa").count(), expected);
    }
}

/// A world with a clock for scripts, and who hears of missed keys.
fn world_of_misses(step: Duration) -> (World, Peer, Peer) {
    let (mut world, _) = scripts::world(step);
    let [mut watcher, mut peer] = [(); 2].map(|()| world.connect());
    world.run(&mut peer, "CONFIG SET notify-keyspace-events AKEm");
    world.run(&mut watcher, "SUBSCRIBE __keyevent@0__:keymiss");
    watcher.received();
    watcher.outbox.sent.lock().unwrap().revisions.clear();
    (world, watcher, peer)
}

const MISSED_A: &str = "*3 $7 message $22 __keyevent@0__:keymiss $1 a";

#[test]
fn a_miss_leaves_with_the_transaction_on_which_it_depends() {
    let (mut world, mut watcher, mut peer) = world_of_misses(Duration::ZERO);
    world.run(&mut peer, "SET a 1");
    for line in ["MULTI", "DEL a", "GET a"] {
        world.run(&mut peer, line);
    }
    assert_eq!(world.run(&mut peer, "EXEC"), "*2 :1 $-1");
    world.run(&mut peer, "SET a 1");
    world.run(&mut peer, "EVAL \"redis.call('del','a') return redis.call('get','a')\" 0");
    // A stream whose time was over, which its reader has found out.
    world.run(&mut peer, "XADD a 1-1 f v");
    world.run(&mut peer, "PEXPIRE a 5");
    world.now.tick += 6;
    world.now.wall += 6;
    assert_eq!(world.run(&mut peer, "XREAD STREAMS a 0"), "*-1");
    // What changes nothing waits for nothing that is to come.
    for line in ["MULTI", "GET a", "EXEC", "GET a"] {
        world.run(&mut peer, line);
    }
    assert_eq!(watcher.received(), [MISSED_A; 5].join(" "));
    let revisions = &watcher.outbox.sent.lock().unwrap().revisions;
    assert_eq!(revisions.iter().map(|revision| revision.0).collect::<Vec<_>>(), [2, 4, 7, 7, 7]);
}

#[test]
fn a_miss_is_told_once_though_its_script_is_held_up() {
    let (mut world, mut watcher, mut peer) = world_of_misses(Duration::from_millis(20));
    let line = "EVAL \"redis.call('xread','streams','a','0') redis.call('get','a') for i=1,100 do redis.call('incr','n') end\" 0";
    assert!(matches!(world.execute(&mut peer, line), Flow::HeldUp));
    assert_eq!(watcher.received(), "");
    assert_eq!(patiently(&mut world, &mut peer, line), "$-1");
    assert_eq!(watcher.received(), [MISSED_A; 2].join(" "));
}

#[test]
fn what_was_taken_back_has_missed_nothing() {
    let (mut world, mut watcher, mut peer) = world_of_misses(Duration::ZERO);
    let much = "EVAL \"local s=('x'):rep(1e6) for i=1,100 do redis.call('get','a') redis.call('set','k'..i,s) end\" 0";
    assert!(patiently(&mut world, &mut peer, much).starts_with("-TXNTOOBIG"));
    for line in ["MULTI", "GET a", much, "GET a"] {
        world.run(&mut peer, line);
    }
    assert!(patiently(&mut world, &mut peer, "EXEC").starts_with("-TXNTOOBIG"));
    assert_eq!(watcher.received(), "");
    world.run(&mut peer, "GET a");
    assert_eq!(watcher.received(), MISSED_A);
}

#[test]
fn the_misses_of_one_transaction_have_a_bound() {
    for (key, missed, told) in [("i", 200_000, 100_000), ("i..s", 320, (16 << 20) / 65_003)] {
        let (mut world, mut watcher, mut peer) = world_of_misses(Duration::ZERO);
        let line =
            format!("EVAL \"local s=('x'):rep(65000) for i=1,{missed} do redis.call('exists',{key}) end\" 0");
        assert_eq!(world.run(&mut peer, &line), "$-1");
        let heard = watcher.take();
        assert_eq!(heard.windows(7).filter(|bytes| bytes == b"keymiss").count(), told);
        world.run(&mut peer, "GET a");
        assert_eq!(watcher.received(), MISSED_A, "it is of one transaction only");
    }
}
