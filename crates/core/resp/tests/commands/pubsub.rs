//! Messages and keyspace notifications, in exact order.

use adsum_resp::{Flow, Wake};

use super::harness::{World, check};

#[test]
fn messages_reach_channels_and_patterns() {
    let mut world = World::new();
    let [mut one, mut two, mut writer] = [(); 3].map(|()| world.connect());
    assert_eq!(world.run(&mut one, "SUBSCRIBE a b"), "*3 $9 subscribe $1 a :1 *3 $9 subscribe $1 b :2");
    assert_eq!(world.run(&mut one, "PSUBSCRIBE ?"), "*3 $10 psubscribe $1 ? :3");
    assert_eq!(world.run(&mut two, "PSUBSCRIBE a*"), "*3 $10 psubscribe $2 a* :1");
    assert_eq!(world.run(&mut writer, "PUBLISH a hello"), ":3");
    assert_eq!(one.received(), "*3 $7 message $1 a $5 hello *4 $8 pmessage $1 ? $1 a $5 hello");
    assert_eq!(two.received(), "*4 $8 pmessage $2 a* $1 a $5 hello");
    assert_eq!(two.outbox.sent.lock().unwrap().wakes, [Wake::No, Wake::Push]);
    assert_eq!(world.run(&mut writer, "PUBLISH nobody x"), ":0");
    assert_eq!(world.run(&mut writer, "PUBSUB CHANNELS"), "*2 $1 a $1 b");
    assert_eq!(world.run(&mut writer, "PUBSUB CHANNELS b*"), "*1 $1 b");
    assert_eq!(world.run(&mut writer, "PUBSUB NUMSUB a x"), "*4 $1 a :1 $1 x :0");
    assert_eq!(world.run(&mut writer, "PUBSUB NUMPAT"), ":2");
    world.server.disconnect(one.session);
    assert_eq!(world.run(&mut writer, "PUBLISH a hello"), ":1");
}

#[test]
fn unsubscribing_counts_down_and_names_nothing_when_there_is_nothing() {
    check(
        "
        SUBSCRIBE a b -> *3 $9 subscribe $1 a :1 *3 $9 subscribe $1 b :2
        PSUBSCRIBE p* -> *3 $10 psubscribe $2 p* :3
        UNSUBSCRIBE b nope -> *3 $11 unsubscribe $1 b :2 *3 $11 unsubscribe $4 nope :2
        UNSUBSCRIBE -> *3 $11 unsubscribe $1 a :1
        UNSUBSCRIBE -> *3 $11 unsubscribe $-1 :1
        PUNSUBSCRIBE -> *3 $12 punsubscribe $2 p* :0
        PUNSUBSCRIBE -> *3 $12 punsubscribe $-1 :0
        PING -> +PONG
        ",
    );
}

#[test]
fn a_subscribed_resp2_client_may_do_little() {
    let only = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
    check(&format!(
        "
        SUBSCRIBE a -> *3 $9 subscribe $1 a :1
        GET x -> -ERR Can't execute 'get': {only}
        CLIENT ID -> -ERR Can't execute 'client|id': {only}
        PING -> *2 $4 pong $0
        PING hi -> *2 $4 pong $2 hi
        RESET -> +RESET
        GET x -> $-1
        SUBSCRIBE a -> *3 $9 subscribe $1 a :1
        QUIT
        "
    ));
}

#[test]
fn a_resp3_client_gets_pushes_and_may_do_everything() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.run(&mut peer, "HELLO 3");
    assert_eq!(world.run(&mut peer, "SUBSCRIBE a"), ">3 $9 subscribe $1 a :1");
    assert_eq!(world.run(&mut peer, "GET x"), "_");
    assert_eq!(world.run(&mut peer, "PING"), "+PONG");
    assert_eq!(world.run(&mut peer, "PUBLISH a hi"), ":1 >3 $7 message $1 a $2 hi");
    world.run(&mut peer, "PSUBSCRIBE __keyspace*");
    peer.received();
    assert_eq!(
        world.run(&mut peer, "SET k v"),
        "+OK >4 $8 pmessage $11 __keyspace* $16 __keyspace@0__:k $3 set"
    );
}

#[test]
fn what_a_client_sends_to_itself_comes_behind_its_reply_and_never_within_one() {
    for hello in ["HELLO 2", "HELLO 3"] {
        let mut world = World::new();
        let [mut peer, mut other] = [(); 2].map(|()| world.connect());
        world.run(&mut peer, hello);
        world.run(&mut other, "SUBSCRIBE a");
        for line in ["MULTI", "SUBSCRIBE a", "PUBLISH a hi", "SET k v"] {
            world.run(&mut peer, line);
        }
        let push = if hello == "HELLO 3" { ">" } else { "*" };
        assert_eq!(
            world.run(&mut peer, "EXEC"),
            format!("*3 {push}3 $9 subscribe $1 a :1 :2 +OK {push}3 $7 message $1 a $2 hi")
        );
        assert_eq!(other.received(), "*3 $7 message $1 a $2 hi");
        world.run(&mut other, "RESET");
        assert_eq!(peer.received(), "");
    }
}

#[test]
fn what_a_client_sends_to_itself_has_a_bound() {
    const TOO_MUCH: Wake = Wake::Close("it does not take its messages: over the limit of its output buffer");
    for (patterns, size, fits) in
        [(1, 16 << 20, true), (3, 16 << 20, false), (300, 100_000, true), (400, 100_000, false)]
    {
        let mut world = World::new();
        let [mut peer, mut other] = [(); 2].map(|()| world.connect());
        world.run(&mut peer, "HELLO 3");
        for n in 0..patterns {
            world.run(&mut peer, &format!("PSUBSCRIBE a*{}", "*".repeat(n)));
        }
        world.run(&mut other, "SUBSCRIBE a");
        let publish = format!("*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n${size}\r\n{}\r\n", "x".repeat(size));
        peer.outbox.sent.lock().unwrap().wakes.clear();
        world.send(&mut peer, publish.as_bytes());
        let received = peer.take().len();
        let wakes = std::mem::take(&mut peer.outbox.sent.lock().unwrap().wakes);
        if fits {
            assert!(received > patterns * size && !wakes.contains(&TOO_MUCH), "{patterns} of {size}");
        } else {
            let reply = format!(":{}\r\n", patterns + 1).len();
            assert_eq!((received, wakes), (reply, vec![TOO_MUCH, Wake::No]), "{patterns} of {size}");
        }
        assert!(other.take().len() > size, "others are sent what they hear");
        // It is of one request only.
        assert!(world.run(&mut peer, "PUBLISH a hi").contains("$2 hi"));
    }
}

#[test]
fn subscriptions_are_limited() {
    let mut world = World::new();
    let mut peer = world.connect();
    let names = (0..100_000).map(|n| n.to_string()).collect::<Vec<_>>();
    for some in names.chunks(1000) {
        let flow = world.send(&mut peer, format!("SUBSCRIBE {}\r\n", some.join(" ")).as_bytes());
        assert!(matches!(flow, Flow::Continue));
    }
    peer.take();
    let error = "-ERR a client can be subscribed to 100000 channels and patterns with names of 16777216 bytes at most";
    assert_eq!(world.run(&mut peer, "SUBSCRIBE more"), error);
    assert_eq!(world.run(&mut peer, "UNSUBSCRIBE 7"), "*3 $11 unsubscribe $1 7 :99999");
    assert_eq!(world.run(&mut peer, "PSUBSCRIBE more"), "*3 $10 psubscribe $4 more :100000");
}

#[test]
fn the_names_of_subscriptions_are_limited() {
    let mut world = World::new();
    let mut peer = world.connect();
    let name = |n: usize| format!("{n:01000}{}", "x".repeat(64_536));
    for n in 0..256 {
        world.send(&mut peer, format!("*2\r\n$9\r\nSUBSCRIBE\r\n$65536\r\n{}\r\n", name(n)).as_bytes());
    }
    peer.take();
    assert!(world.run(&mut peer, "SUBSCRIBE more").starts_with("-ERR a client can be subscribed to 100000"));
    world.send(&mut peer, format!("*2\r\n$11\r\nUNSUBSCRIBE\r\n$65536\r\n{}\r\n", name(9)).as_bytes());
    peer.take();
    assert_eq!(world.run(&mut peer, "SUBSCRIBE more"), "*3 $9 subscribe $4 more :256");
}

#[test]
fn shard_channels_are_names_of_their_own() {
    let mut world = World::new();
    let [mut peer, mut other] = [(); 2].map(|()| world.connect());
    world.run(&mut other, "PSUBSCRIBE *");
    let subscribed = "*3 $10 ssubscribe $1 s :1 *3 $10 ssubscribe $1 t :2";
    assert_eq!(world.run(&mut peer, "SSUBSCRIBE s t"), subscribed);
    assert_eq!(world.run(&mut peer, "GET a").split(':').next(), Some("-ERR Can't execute 'get'"));
    let mut sender = world.connect();
    assert_eq!(world.run(&mut sender, "SPUBLISH s m"), ":1");
    assert_eq!(world.run(&mut sender, "PUBLISH t m"), ":1");
    assert_eq!(peer.received(), "*3 $8 smessage $1 s $1 m");
    assert_eq!(other.received(), "*4 $8 pmessage $1 * $1 t $1 m");
    assert_eq!(world.run(&mut sender, "PUBSUB SHARDCHANNELS"), "*2 $1 s $1 t");
    assert_eq!(world.run(&mut sender, "PUBSUB SHARDCHANNELS t*"), "*1 $1 t");
    assert_eq!(world.run(&mut sender, "PUBSUB SHARDNUMSUB s u"), "*4 $1 s :1 $1 u :0");
    assert_eq!(world.run(&mut sender, "PUBSUB CHANNELS"), "*0");
    assert_eq!(world.run(&mut peer, "SUBSCRIBE c"), "*3 $9 subscribe $1 c :1");
    let ended = "*3 $12 sunsubscribe $1 s :1 *3 $12 sunsubscribe $1 t :0";
    assert_eq!(world.run(&mut peer, "SUNSUBSCRIBE"), ended);
    assert_eq!(world.run(&mut peer, "SUNSUBSCRIBE"), "*3 $12 sunsubscribe $-1 :0");
    assert_eq!(world.run(&mut sender, "SPUBLISH s m"), ":0");
    assert_eq!(world.run(&mut peer, "UNSUBSCRIBE"), "*3 $11 unsubscribe $1 c :0");
}

#[test]
fn a_message_to_a_shard_channel_leaves_with_its_transaction() {
    let mut world = World::new();
    let [mut peer, mut sender] = [(); 2].map(|()| world.connect());
    world.run(&mut peer, "SSUBSCRIBE s");
    for line in ["MULTI", "SPUBLISH s one", "SET a 1", "SPUBLISH s two"] {
        world.run(&mut sender, line);
        assert_eq!(peer.received(), "");
    }
    assert_eq!(world.run(&mut sender, "EXEC"), "*3 :1 +OK :1");
    assert_eq!(peer.received(), "*3 $8 smessage $1 s $3 one *3 $8 smessage $1 s $3 two");
    let script = "EVAL \"return redis.call('spublish','s','three')\" 0";
    assert_eq!(world.run(&mut sender, script), ":1");
    assert_eq!(peer.received(), "*3 $8 smessage $1 s $5 three");
}

#[test]
fn what_one_transaction_publishes_has_a_bound() {
    let mut world = World::new();
    let [mut peer, mut sender] = [(); 2].map(|()| world.connect());
    world.run(&mut peer, "SUBSCRIBE c");
    world.run(&mut peer, "SSUBSCRIBE c");
    for command in ["publish", "spublish"] {
        let mut send = |count: usize| {
            let line = format!(
                "EVAL \"local s = string.rep('x', 1000000) for i = 1, {count} do redis.call('{command}', 'c', s) end return 1\" 0"
            );
            world.run(&mut sender, &line)
        };
        let refused = send(70);
        assert!(refused.starts_with("-TXNTOOBIG the transaction changes "), "{command}: {refused}");
        assert_eq!(peer.take().len(), 0, "{command}");
        assert_eq!(send(2), ":1");
        assert!(peer.take().len() > 2_000_000, "{command}");
    }
}

#[test]
fn confirmations_come_to_who_wants_no_replies() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.run(&mut peer, "CLIENT REPLY OFF");
    assert_eq!(world.run(&mut peer, "SUBSCRIBE a"), "*3 $9 subscribe $1 a :1");
    assert_eq!(world.run(&mut peer, "PING"), "");
    assert_eq!(world.run(&mut peer, "UNSUBSCRIBE a"), "*3 $11 unsubscribe $1 a :0");
    assert_eq!(world.run(&mut peer, "SUBSCRIBE"), "");
}

#[test]
fn a_shard_channel_cannot_be_subscribed_to_by_a_transaction_and_a_script_that_only_reads_publishes_nothing() {
    check(
        "
        MULTI
        SSUBSCRIBE s -> +QUEUED
        EXEC -> *1 -ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client
        PUBSUB SHARDCHANNELS -> *0
        ",
    );
    let mut world = World::new();
    let mut peer = world.connect();
    for command in ["publish", "spublish"] {
        let line = format!("EVAL_RO \"return redis.call('{command}','c','m')\" 0");
        let refused = world.run(&mut peer, &line);
        assert!(
            refused.starts_with("-ERR Write commands are not allowed from read-only scripts."),
            "{refused}"
        );
    }
}
