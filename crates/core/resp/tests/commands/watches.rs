//! XREAD on the streams of watches, and ONEXPIRE.

use adsum_keyspace::{Database, switch};

use crate::harness::{World, check};

const ALL: &str = "XREAD STREAMS adsum:watch: 0";

#[test]
fn every_event_under_a_prefix_is_read_after_the_last_one_seen() {
    check(
        "
        SET /config/a 1
        SET /other/a 1
        MULTI -> +OK
        SET /config/b 2 PX 500 -> +QUEUED
        SET /other/b 2 -> +QUEUED
        DEL /config/a -> +QUEUED
        EXEC -> *3 +OK +OK :1
        XREAD COUNT 1 STREAMS adsum:watch:/config/ 0 -> *1 *2 $20 adsum:watch:/config/ *1 *2 $3 1-1 *8 $5 event $3 set $3 key $9 /config/a $5 value $1 1 $8 revision $1 1
        XREAD STREAMS adsum:watch:/config/ 1-1 -> *1 *2 $20 adsum:watch:/config/ *2 *2 $3 3-1 *12 $5 event $3 set $6 events $10 set,expire $3 key $9 /config/b $5 value $1 2 $7 expires $13 1700000000500 $8 revision $1 3 *2 $3 3-3 *6 $5 event $3 del $3 key $9 /config/a $8 revision $1 3
        XREAD STREAMS adsum:watch:/config/ 3-1 -> *1 *2 $20 adsum:watch:/config/ *1 *2 $3 3-3 *6 $5 event $3 del $3 key $9 /config/a $8 revision $1 3
        XREAD STREAMS adsum:watch:/config/ 3-3 -> *-1
        XREAD STREAMS adsum:watch:/config/ 3 -> *1 *2 $20 adsum:watch:/config/ *2 *2 $3 3-1 *12 $5 event $3 set $6 events $10 set,expire $3 key $9 /config/b $5 value $1 2 $7 expires $13 1700000000500 $8 revision $1 3 *2 $3 3-3 *6 $5 event $3 del $3 key $9 /config/a $8 revision $1 3
        XREAD STREAMS adsum:watch:/config/ $ -> *-1
        ",
    );
}

#[test]
fn a_change_is_told_by_its_delta() {
    check(
        "
        RPUSH q a -> :1
        LPUSH q b -> :2
        RENAME q r
        APPEND s x -> :1
        APPEND s y -> :2
        PEXPIRE s 100 -> :1
        PERSIST s -> :1
        FLUSHDB
        XREAD STREAMS adsum:watch:q 1 -> *1 *2 $13 adsum:watch:q *4 *2 $3 1-1 *8 $5 event $5 rpush $3 key $1 q $5 delta $36 {\"insert\":[\"a\"],\"rank\":0,\"remove\":0} $8 revision $1 1 *2 $3 2-1 *8 $5 event $5 lpush $3 key $1 q $5 delta $36 {\"insert\":[\"b\"],\"rank\":0,\"remove\":0} $8 revision $1 2 *2 $3 3-1 *6 $5 event $11 rename_from $3 key $1 q $8 revision $1 3 *2 $3 8-1 *6 $5 event $7 flushdb $3 key $0  $8 revision $1 8
        XREAD STREAMS adsum:watch:r 0 -> *1 *2 $13 adsum:watch:r *2 *2 $3 3-2 *8 $5 event $9 rename_to $3 key $1 r $5 value $9 [\"b\",\"a\"] $8 revision $1 3 *2 $3 8-1 *6 $5 event $7 flushdb $3 key $0  $8 revision $1 8
        XREAD COUNT 1 STREAMS adsum:watch:s 4-1 -> *1 *2 $13 adsum:watch:s *1 *2 $3 5-1 *8 $5 event $6 append $3 key $1 s $5 delta $14 {\"append\":\"y\"} $8 revision $1 5
        ",
    );
}

#[test]
fn a_reader_that_waits_is_woken_by_its_own_prefix_alone() {
    let mut world = World::new();
    let (mut reader, mut writer) = (world.connect(), world.connect());
    world.run(&mut writer, "SET /a/1 x");
    assert_eq!(world.run(&mut reader, "XREAD BLOCK 0 STREAMS adsum:watch:/a/ adsum:watch:/b $ $"), "");
    world.run(&mut writer, "SET /c y");
    world.run(&mut writer, "SELECT 1");
    world.run(&mut writer, "SET /a/1 y");
    assert_eq!(reader.received(), "");
    world.run(&mut writer, "SELECT 0");
    world.run(&mut writer, "DEL /a/1");
    let expected =
        "*1 *2 $15 adsum:watch:/a/ *1 *2 $3 4-1 *6 $5 event $3 del $3 key $4 /a/1 $8 revision $1 4";
    assert_eq!(reader.received(), expected);
    world.run(&mut writer, "SET /a/1 z");
    assert_eq!(reader.received(), "");
}

#[test]
fn a_reader_gives_up_in_time() {
    let mut world = World::new();
    let (mut reader, mut writer) = (world.connect(), world.connect());
    world.run(&mut reader, "XREAD BLOCK 10 STREAMS adsum:watch: $");
    world.server.time_out(&mut reader.session, world.now);
    assert_eq!(reader.received(), "*-1");
    world.run(&mut writer, "SET a 1");
    assert_eq!(reader.received(), "");
    assert_eq!(world.run(&mut reader, "HELLO 3").matches("proto").count(), 1);
    let seen = world.run(&mut reader, "XREAD STREAMS adsum:watch: 0");
    assert!(seen.starts_with("%1 $12 adsum:watch: *1 *2 $3 1-1"), "{seen}");
}

#[test]
fn who_has_fallen_behind_the_history_is_told_so() {
    let mut world = World::new();
    let (mut reader, mut writer) = (world.connect(), world.connect());
    let value = "x".repeat(1024 * 1024);
    for n in 0..20 {
        world.run(&mut writer, &format!("SET k{n} {value}"));
    }
    let refused = world.run(&mut reader, ALL);
    let oldest: u64 = refused.strip_prefix("-COMPACTED ").unwrap().parse().unwrap();
    assert!((1..20).contains(&oldest), "{refused}");
    let read = world.run(&mut reader, &format!("XREAD COUNT 1 STREAMS adsum:watch: {oldest}"));
    assert!(
        read.contains(&format!("{oldest}-1")),
        "what it names can be read: {}",
        &read[..read.len().min(60)]
    );
}

#[test]
fn who_comes_from_other_data_is_told_so() {
    check(
        "
        SET a 1
        XREAD STREAMS adsum:watch: 1-18446744073709551615 -> *-1
        XREAD STREAMS adsum:watch: 2-0 -> *-1
        XREAD STREAMS adsum:watch: 2-1 -> *-1
        XREAD STREAMS adsum:watch: 3-0 -> -COMPACTED 2
        XREAD BLOCK 0 STREAMS adsum:watch: 500-1 -> -COMPACTED 2
        ",
    );
}

#[test]
fn a_reader_that_looks_again_does_not_walk_through_what_it_has_seen() {
    let mut world = World::new();
    let (mut reader, mut writer) = (world.connect(), world.connect());
    world.run(&mut writer, "SET /a 1");
    let value = "x".repeat(1024 * 1024);
    for n in 0..40 {
        world.run(&mut writer, &format!("SET /b{n} {value}"));
        // Its id stays; the history behind it goes.
        assert_eq!(world.run(&mut reader, "XREAD STREAMS adsum:watch:/a 1-1"), "*-1", "round {n}");
    }
    let mut fresh = world.connect();
    assert!(world.run(&mut fresh, "XREAD STREAMS adsum:watch:/a 1-1").starts_with("-COMPACTED"));
}

#[test]
fn mistakes_are_told() {
    check(
        "
        XREAD STREAMS adsum:watch:a -> -ERR wrong number of arguments for 'xread' command
        XREAD STREAMS adsum:watch:a adsum:watch:b 0 -> -ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.
        XREAD STREAMS adsum:watch:a stream 0 0 -> -ERR one XREAD reads either watches, as adsum:watch:PREFIX, or streams
        XREAD STREAMS adsum:watch:a x -> -ERR Invalid stream ID specified as stream command argument
        XREAD BLOCK -1 STREAMS adsum:watch:a 0 -> -ERR timeout is negative
        XREAD BLOCK x STREAMS adsum:watch:a 0 -> -ERR timeout is not an integer or out of range
        XREAD COUNT x STREAMS adsum:watch:a 0 -> -ERR value is not an integer or out of range
        XREAD WHAT 1 STREAMS adsum:watch:a 0 -> -ERR syntax error
        ONEXPIRE k DANCE now -> -ERR 'DANCE now' is no action: write EVENT text, WEBHOOK http://..., or RESTART service, in 4096 bytes at most
        ONEXPIRE k EVENT -> -ERR syntax error
        ",
    );
}

#[test]
fn a_switch_fires_when_its_key_expires() {
    let mut world = World::new();
    let mut peer = world.connect();
    assert_eq!(world.run(&mut peer, "ONEXPIRE alive restart web"), "+OK");
    assert_eq!(world.run(&mut peer, "ONEXPIRE alive"), "$11 restart web");
    world.run(&mut peer, "SET alive 1 PX 100");
    world.pass(101);
    let system = world.server.keyspace().keys(Database::System);
    assert_eq!(
        system.iter_from(switch::all_fired()).filter(|(key, _)| switch::fired_place(key).is_some()).count(),
        1
    );
    assert_eq!(world.run(&mut peer, "ONEXPIRE alive NONE"), "+OK");
    assert_eq!(world.run(&mut peer, "ONEXPIRE alive"), "$-1");
}

#[test]
fn one_reading_is_bounded_over_all_its_streams() {
    let mut world = World::new();
    let (mut reader, mut writer) = (world.connect(), world.connect());
    world.run(&mut writer, &format!("SET a {}", "x".repeat(1024 * 1024)));
    for _ in 0..5 {
        world.run(&mut writer, "COPY a b REPLACE");
    }
    let streams = "adsum:watch: ".repeat(128);
    let read = world.run(&mut reader, &format!("XREAD STREAMS {streams}{}", "0 ".repeat(128)));
    assert!(read.len() < 12 * 1024 * 1024, "{} bytes", read.len());
    let refused =
        world.run(&mut reader, &format!("XREAD STREAMS {streams}adsum:watch: {}", "0 ".repeat(129)));
    assert_eq!(refused, "-ERR XREAD takes 128 streams at most");
}

#[test]
fn an_event_of_a_large_copy_names_the_key_that_it_is_of() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.run(&mut peer, &format!("SET a {}", "x".repeat(1024 * 1024 + 1)));
    world.run(&mut peer, "COPY a b");
    let read = world.run(&mut peer, "XREAD STREAMS adsum:watch:b 0");
    assert!(
        read.contains("copy_to $3 key $1 b $7 copy_of $1 a $10 copy_of_db $1 0 $8 revision $1 2"),
        "{read}"
    );
}
