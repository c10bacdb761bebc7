//! SCAN and KEYS: what is there all the time is found.

use adsum_resp::Flow;

use super::harness::{World, check, show};

#[test]
fn keys_lists_what_matches_in_order() {
    check(
        r"
        MSET /a/2 x /a/1 x /b x a*b x
        KEYS * -> *4 $4 /a/1 $4 /a/2 $2 /b $3 a*b
        KEYS /a/* -> *2 $4 /a/1 $4 /a/2
        KEYS /?/1 -> *1 $4 /a/1
        KEYS /b -> *1 $2 /b
        KEYS /c -> *0
        KEYS a\*b -> *1 $3 a*b
        ",
    );
}

#[test]
fn a_key_that_is_due_is_not_listed() {
    check(
        "
        SET a x PX 100
        SET b x
        >101 KEYS * -> *1 $1 b
        DBSIZE -> :1
        ",
    );
}

#[test]
fn a_scan_goes_on_behind_its_cursor() {
    check(
        "
        MSET a 1 b 2 c 3 d 4 e 5
        SCAN 0 COUNT 2 -> *2 $1 1 *2 $1 a $1 b
        SCAN 1 COUNT 2 -> *2 $1 2 *2 $1 c $1 d
        SCAN 2 COUNT 2 -> *2 $1 0 *1 $1 e
        SCAN 0 -> *2 $1 0 *5 $1 a $1 b $1 c $1 d $1 e
        RPUSH l x -> :1
        SCAN 0 TYPE list -> *2 $1 0 *1 $1 l
        SCAN 0 TYPE hash -> *2 $1 0 *0
        SCAN 0 MATCH [ab] -> *2 $1 0 *2 $1 a $1 b
        SCAN 0 MATCH l* COUNT 1 -> *2 $1 0 *1 $1 l
        SCAN 99 -> -ERR invalid cursor
        SCAN x -> -ERR invalid cursor
        SCAN 0 COUNT 0 -> -ERR syntax error
        SCAN 0 COUNT x -> -ERR value is not an integer or out of range
        SCAN 0 WHAT 1 -> -ERR syntax error
        SCAN 0 MATCH -> -ERR syntax error
        ",
    );
}

#[test]
fn a_scan_gives_everything_that_is_there_all_the_time_while_others_write() {
    let mut world = World::new();
    let mut peer = world.connect();
    for n in 0..500 {
        world.run(&mut peer, &format!("SET stay:{n:03} x"));
    }
    let (mut cursor, mut seen) = ("0".to_owned(), Vec::new());
    for round in 0.. {
        let reply = world.run(&mut peer, &format!("SCAN {cursor} MATCH stay:* COUNT 7"));
        let mut words = reply.split(' ').filter(|word| !word.starts_with(['*', '$']));
        cursor = words.next().unwrap().to_owned();
        seen.extend(words.map(str::to_owned));
        if cursor == "0" {
            break;
        }
        // Keys come and go before, at and behind the place of the cursor.
        world.run(&mut peer, &format!("MSET stay:{round:03}a x a{round} x z{round} x"));
        world.run(&mut peer, &format!("DEL stay:{round:03}a a{round}"));
    }
    let expected: Vec<String> = (0..500).map(|n| format!("stay:{n:03}")).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_long_listing_is_of_its_moment_however_late_it_is_written() {
    let mut world = World::new();
    let mut peer = world.connect();
    for n in 0..6000 {
        world.run(&mut peer, &format!("RPUSH q {n}"));
        world.run(&mut peer, &format!("SET k{n} x"));
    }
    for (line, length) in [("KEYS *", 6001), ("LRANGE q 0 -1", 6000)] {
        let Flow::Deferred(deferred) = world.execute(&mut peer, line) else {
            panic!("{line} is not deferred")
        };
        world.run(&mut peer, "DEL q k1 k2");
        let (revision, bytes) = deferred.write();
        assert!(show(&bytes).starts_with(&format!("*{length} ")), "{line}");
        world.run(&mut peer, "RPUSH q x");
        for n in 1..6000 {
            world.run(&mut peer, &format!("RPUSH q {n}"));
        }
        world.run(&mut peer, "MSET k1 x k2 x");
        peer.outbox.release(revision, &bytes);
    }
    assert!(matches!(world.execute(&mut peer, "KEYS k1*"), Flow::Continue), "a thousand are not many");
    world.run(&mut peer, "MULTI");
    world.run(&mut peer, "KEYS *");
    assert!(world.run(&mut peer, "EXEC").starts_with("*1 *6001 "));
}
