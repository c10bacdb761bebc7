//! Streams beyond what is compared with redis-server: who waits, what time does, and what comes after a restart.

use super::harness::{World, check};

#[test]
fn ids_follow_the_clock_and_never_go_back() {
    check(
        "
        XADD x * f v -> $15 1700000000000-0
        XADD x * f v -> $15 1700000000000-1
        >5 XADD x * f v -> $15 1700000000005-0
        XADD x 1800000000000-* f v -> $15 1800000000000-0
        XADD x * f v -> $15 1800000000000-1
        XDEL x 1800000000000-1 -> :1
        XADD x * f v -> $15 1800000000000-2
        XSETID x 18446744073709551615-18446744073709551615
        XADD x * f v -> -ERR The stream has exhausted the last possible ID, unable to add more items
        ",
    );
}

#[test]
fn whoever_waits_for_an_entry_gets_it_and_of_a_group_one_does() {
    let mut world = World::new();
    let mut peers: Vec<_> = (0..5).map(|_| world.connect()).collect();
    let mut writer = world.connect();
    world.run(&mut writer, "XGROUP CREATE x g $ MKSTREAM");
    world.run(&mut peers[0], "XREAD BLOCK 0 STREAMS y x $ $");
    world.run(&mut peers[1], "XREAD BLOCK 0 STREAMS x 5");
    world.run(&mut peers[2], "XREADGROUP GROUP g ann BLOCK 0 STREAMS x >");
    world.run(&mut peers[3], "XREADGROUP GROUP g bob BLOCK 0 COUNT 1 STREAMS x >");
    world.run(&mut peers[4], "XREAD BLOCK 0 STREAMS x 3-0");
    world.run(&mut writer, "XADD x 1-0 f v");
    let entry = "*1 *2 $1 x *1 *2 $3 1-0 *2 $1 f $1 v";
    assert_eq!(peers.iter_mut().map(|peer| peer.received()).collect::<Vec<_>>(), [entry, "", entry, "", ""]);
    world.run(&mut writer, "XADD x 2-0 f v");
    assert_eq!(peers[3].received(), "*1 *2 $1 x *1 *2 $3 2-0 *2 $1 f $1 v");
    world.run(&mut writer, "XADD x 4-0 f v");
    assert_eq!((peers[1].received().as_str(), peers[4].received().contains("4-0")), ("", true));
    let pending = world.run(&mut writer, "XPENDING x g");
    assert_eq!(pending, "*4 :2 $3 1-0 $3 2-0 *2 *2 $3 ann $1 1 *2 $3 bob $1 1");
}

#[test]
fn a_member_who_waits_is_told_when_its_stream_or_its_group_goes() {
    let mut world = World::new();
    let (mut one, mut other, mut reader) = (world.connect(), world.connect(), world.connect());
    world.run(&mut other, "XGROUP CREATE x g $ MKSTREAM");
    world.run(&mut reader, "XREAD BLOCK 0 STREAMS x 0");
    world.run(&mut one, "XREADGROUP GROUP g ann BLOCK 0 STREAMS x >");
    world.run(&mut other, "XGROUP DESTROY x g");
    assert_eq!(one.received(), "-NOGROUP the consumer group this client was blocked on no longer exists");
    for goes in ["DEL x", "SET x v", "FLUSHALL", "RENAME x y"] {
        world.run(&mut other, "DEL x");
        world.run(&mut other, "XGROUP CREATE x g $ MKSTREAM");
        world.run(&mut one, "XREADGROUP GROUP g ann BLOCK 0 STREAMS x >");
        world.run(&mut other, goes);
        assert_eq!(one.received(), "-UNBLOCKED the stream key no longer exists", "{goes}");
    }
    assert_eq!(reader.received(), "");
    world.run(&mut other, "XADD x 1-0 f v");
    assert_eq!(reader.received(), "*1 *2 $1 x *1 *2 $3 1-0 *2 $1 f $1 v");
}

#[test]
fn a_wait_ends_with_null_and_is_none_in_a_transaction() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.run(&mut peer, "XREAD BLOCK 10 STREAMS x $");
    assert!(peer.session.is_blocked());
    world.server.time_out(&mut peer.session, world.now);
    assert_eq!(peer.received(), "*-1");
    assert!(!peer.session.is_blocked());
    world.run(&mut peer, "MULTI");
    world.run(&mut peer, "XADD x 1-0 f v");
    world.run(&mut peer, "XREAD BLOCK 0 STREAMS x $");
    world.run(&mut peer, "XREAD BLOCK 0 STREAMS x 0");
    assert_eq!(world.run(&mut peer, "EXEC"), "*3 $3 1-0 *-1 *1 *2 $1 x *1 *2 $3 1-0 *2 $1 f $1 v");
}

#[test]
fn what_was_delivered_ages_until_somebody_claims_it() {
    check(
        "
        XGROUP CREATE x g 0 MKSTREAM
        XADD x 1-0 f v -> $3 1-0
        XADD x 2-0 f v -> $3 2-0
        XREADGROUP GROUP g ann COUNT 1 STREAMS x > -> *1 *2 $1 x *1 *2 $3 1-0 *2 $1 f $1 v
        >50 XREADGROUP GROUP g ann STREAMS x > -> *1 *2 $1 x *1 *2 $3 2-0 *2 $1 f $1 v
        >10 XPENDING x g - + 10 -> *2 *4 $3 1-0 $3 ann :60 :1 *4 $3 2-0 $3 ann :10 :1
        XPENDING x g IDLE 30 - + 10 ann -> *1 *4 $3 1-0 $3 ann :60 :1
        XAUTOCLAIM x g bob 30 0 JUSTID -> *3 $3 0-0 *1 $3 1-0 *0
        XPENDING x g - + 10 bob -> *1 *4 $3 1-0 $3 bob :0 :1
        XCLAIM x g bob 0 2-0 IDLE 7 -> *1 *2 $3 2-0 *2 $1 f $1 v
        XPENDING x g - + 10 ann -> *0
        >5 XINFO CONSUMERS x g -> *2 *6 $4 name $3 ann $7 pending :0 $4 idle :15 *6 $4 name $3 bob $7 pending :2 $4 idle :5
        XREADGROUP GROUP g bob STREAMS x 0 -> *1 *2 $1 x *2 *2 $3 1-0 *2 $1 f $1 v *2 $3 2-0 *2 $1 f $1 v
        XINFO STREAM x FULL -> *18 $6 length :2 $15 radix-tree-keys :1 $16 radix-tree-nodes :2 $17 last-generated-id $3 2-0 $20 max-deleted-entry-id $3 0-0 $13 entries-added :2 $23 recorded-first-entry-id $3 1-0 $7 entries *2 *2 $3 1-0 *2 $1 f $1 v *2 $3 2-0 *2 $1 f $1 v $6 groups *1 *14 $4 name $1 g $17 last-delivered-id $3 2-0 $12 entries-read :2 $3 lag :0 $9 pel-count :2 $7 pending *2 *4 $3 1-0 $3 bob :1700000000065 :2 *4 $3 2-0 $3 bob :1700000000065 :3 $9 consumers *2 *8 $4 name $3 ann $9 seen-time :1700000000050 $9 pel-count :0 $7 pending *0 *8 $4 name $3 bob $9 seen-time :1700000000060 $9 pel-count :2 $7 pending *2 *3 $3 1-0 :1700000000065 :2 *3 $3 2-0 :1700000000065 :3
        ",
    );
}

#[test]
fn names_of_groups_and_consumers_are_bounded_and_watches_are_no_streams() {
    let mut world = World::new();
    let mut peer = world.connect();
    let long = "n".repeat(1025);
    let refused = "-ERR name of 1025 bytes is over the limit of 1024 bytes";
    assert_eq!(world.run(&mut peer, &format!("XGROUP CREATE x {long} $ MKSTREAM")), refused);
    world.run(&mut peer, "XGROUP CREATE x g $ MKSTREAM");
    assert_eq!(world.run(&mut peer, &format!("XREADGROUP GROUP g {long} STREAMS x >")), refused);
    assert_eq!(
        world.run(&mut peer, "XREAD STREAMS adsum:watch:a x 0 0"),
        "-ERR one XREAD reads either watches, as adsum:watch:PREFIX, or streams"
    );
}
