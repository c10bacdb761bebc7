//! Commands on hashes, sets and sorted sets beyond what is compared with redis-server.

use super::harness::{World, check};

#[test]
fn a_scan_gives_every_element_that_is_there_all_the_time_once() {
    let mut world = World::new();
    let mut peer = world.connect();
    for n in 0..500 {
        world.run(&mut peer, &format!("HSET h f{n:03} v{n}"));
        world.run(&mut peer, &format!("SADD s m{n:03}"));
        world.run(&mut peer, &format!("ZADD z {n} m{n:03}"));
    }
    for (scan, remove, add) in [
        ("HSCAN h", "HDEL h f", "HSET h g"),
        ("SSCAN s", "SREM s m", "SADD s x"),
        ("ZSCAN z", "ZREM z m", "ZADD z 1 y"),
    ] {
        let (mut cursor, mut seen, mut calls) = ("0".to_owned(), String::new(), 0);
        loop {
            let reply = world.run(&mut peer, &format!("{scan} {cursor} COUNT 60"));
            // What goes and comes meanwhile moves nothing else.
            world.run(&mut peer, &format!("{remove}{:03}", 2 * calls));
            world.run(&mut peer, &format!("{add}{calls} {calls}"));
            cursor = reply.split(' ').nth(2).unwrap().to_owned();
            seen += &(reply + " ");
            calls += 1;
            if cursor == "0" {
                break;
            }
        }
        assert!(calls >= 9, "{scan} {calls}");
        for n in (1..500).step_by(2) {
            let name = format!("{n:03} ");
            let count = seen.match_indices(&name).filter(|(at, _)| seen[..*at].ends_with(['f', 'm'])).count();
            assert_eq!(count, 1, "{scan} {name}");
        }
    }
    assert_eq!(world.run(&mut peer, "HSCAN h 999999"), "-ERR invalid cursor");
}

#[test]
fn a_rank_comes_with_its_score_on_request() {
    check(
        "
        ZADD z 1 a 2.5 b -> :2
        ZRANK z b WITHSCORE -> *2 :1 $3 2.5
        ZREVRANK z b WITHSCORE -> *2 :0 $3 2.5
        ZRANK z c WITHSCORE -> *-1
        ZRANK z c -> $-1
        ZRANK z a FOO -> -ERR syntax error
        ZADD z 0.1 c -> :1
        ZSCORE z c -> $3 0.1
        ",
    );
}

#[test]
fn whoever_waits_for_a_member_longest_gets_the_first() {
    let mut world = World::new();
    let (mut first, mut second, mut other) = (world.connect(), world.connect(), world.connect());
    world.run(&mut first, "BZPOPMIN q z 0");
    world.run(&mut second, "BZMPOP 0 1 z MAX COUNT 2");
    world.run(&mut other, "RPUSH z x");
    assert_eq!((first.received(), second.received()), (String::new(), String::new()));
    world.run(&mut other, "DEL z");
    world.run(&mut other, "ZADD z 1 a 2 b 3 c 4 d");
    assert_eq!(first.received(), "*3 $1 z $1 a $1 1");
    assert_eq!(second.received(), "*2 $1 z *2 *2 $1 d $1 4 *2 $1 c $1 3");
    assert_eq!(world.run(&mut other, "ZRANGE z 0 -1"), "*1 $1 b");
    world.run(&mut first, "BZPOPMAX w 0");
    world.run(&mut other, "RENAME z w");
    assert_eq!(first.received(), "*3 $1 w $1 b $1 2");
    assert_eq!(world.run(&mut other, "EXISTS w"), ":0");
}

#[test]
fn what_is_drawn_is_bounded() {
    check(
        "
        SADD s a b c -> :3
        SRANDMEMBER s -9999999999 -> -ERR value is out of range
        HSET h f v -> :1
        HRANDFIELD h -3 -> *3 $1 f $1 f $1 f
        HRANDFIELD h -2 WITHVALUES -> *4 $1 f $1 v $1 f $1 v
        HRANDFIELD h -9999999999 -> -ERR value is out of range
        ",
    );
}

#[test]
fn an_event_tells_what_changed_in_an_aggregate() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.run(&mut peer, "HSET h f v g w");
    world.run(&mut peer, "HDEL h f");
    let events = world.run(&mut peer, "XREAD STREAMS adsum:watch:h 0");
    assert!(events.contains(r#"{"remove":["f"],"set":[]}"#), "{events}");
}
