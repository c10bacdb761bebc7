//! Commands on hashes, sets and sorted sets beyond what is compared with redis-server.

use adsum_resp::{Flow, Parser, Requests};

use super::harness::{Peer, World, check, show};

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

/// Arrays, as clients send them.
fn wire(line: &str) -> String {
    let words = line.split(' ').map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", line.split(' ').count(), words.collect::<String>())
}

/// What these requests are answered when they are there at once, and what they look for is fetched before the first.
fn pipelined(world: &mut World, peer: &mut Peer, lines: &[String]) -> Vec<u8> {
    let bytes: String = lines.iter().map(|line| wire(line)).collect();
    let mut requests = Requests::new();
    let mut done = 0;
    while done < bytes.len() {
        Parser::default().parse_ahead(&bytes.as_bytes()[done..], &mut requests);
        assert!(!requests.is_empty(), "they are whole and nothing unusual");
        world.server.expect(&peer.session, &requests);
        for (length, request) in &requests {
            assert!(matches!(world.server.execute(&mut peer.session, request, world.now), Flow::Continue));
            done += length;
        }
    }
    peer.take()
}

/// More elements than are near anyway: see `keyspace/tree/ahead.rs`.
const MANY: usize = 3_000;

fn with_large_aggregates() -> (World, Peer) {
    let mut world = World::new();
    let mut peer = world.connect();
    for at in 0..MANY {
        // Some are too long to stand in the tree themselves.
        let name = name(at);
        for line in [format!("HSET h {name} {at}"), format!("SADD s {name}"), format!("ZADD z {at} {name}")] {
            world.send(&mut peer, wire(&line).as_bytes());
        }
    }
    peer.take();
    (world, peer)
}

fn name(at: usize) -> String {
    if at.is_multiple_of(5) { format!("m{at}{}", "x".repeat(60)) } else { format!("m{at}") }
}

#[test]
fn what_is_expected_of_large_aggregates_is_answered_as_one_by_one() {
    const FORMS: [&str; 24] = [
        "HGET h NAME",
        "HGET h NAME",
        "HMGET h NAME NAME",
        "HEXISTS h NAME",
        "HSTRLEN h NAME",
        "HSET h NAME 7",
        "HMSET h NAME 8 NAME 9",
        "HSETNX h NAME 1",
        "HINCRBY h NAME 2",
        "HINCRBYFLOAT h NAME 0.5",
        "HDEL h NAME NAME",
        "SADD s NAME",
        "SREM s NAME",
        "SISMEMBER s NAME",
        "SMISMEMBER s NAME NAME",
        "ZADD z 5 NAME",
        "ZADD z NX 5 NAME",
        "ZINCRBY z 1 NAME",
        "ZREM z NAME",
        "ZSCORE z NAME",
        "ZMSCORE z NAME NAME",
        // Of the wrong kind, of a key that is not there, and of one that is not the same any more.
        "HGET s NAME",
        "SISMEMBER none NAME",
        "RENAME h h",
    ];
    let [(mut world, mut peer), (mut other_world, mut other)] = [(); 2].map(|()| with_large_aggregates());
    let mut state = 7_u64;
    let mut draw = |most: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % most
    };
    for round in 0..60 {
        let mut lines = Vec::new();
        while lines.len() < 100 {
            // Several of one kind, one behind the other, are fetched together. Some are not there.
            let form = FORMS[draw(FORMS.len())];
            for _ in 0..=draw(20) {
                let words = form.split(' ').map(|word| match word {
                    "NAME" => name(draw(MANY + 300)),
                    word => word.to_owned(),
                });
                lines.push(words.collect::<Vec<_>>().join(" "));
            }
        }
        if round == 40 {
            lines.insert(50, "DEL h".to_owned());
        }
        let one_by_one = lines.iter().flat_map(|line| {
            other_world.send(&mut other, wire(line).as_bytes());
            other.take()
        });
        let one_by_one: Vec<u8> = one_by_one.collect();
        assert_eq!(show(&pipelined(&mut world, &mut peer, &lines)), show(&one_by_one), "{lines:?}");
    }
    for all in ["HLEN h", "SCARD s", "ZCARD z", "ZRANGE z 0 -1 WITHSCORES", "SMEMBERS s", "HGETALL h"] {
        assert_eq!(world.run(&mut peer, all), other_world.run(&mut other, all));
    }
    let cards = ["SCARD s", "ZCARD z"].map(|line| world.run(&mut peer, line));
    assert!(cards.iter().all(|card| card[1..].parse::<usize>().unwrap() > 2_000), "{cards:?}");
}
