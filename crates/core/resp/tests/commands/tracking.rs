//! Clients that keep copies are told when a key changes: the bytes of redis-server 7.0.

use adsum_resp::Flow;

use super::harness::{Peer, World};

/// Lines of `who: command -> what who gets`; what the others get stands in lines of `who <- bytes`.
#[track_caller]
fn play(script: &str) {
    let mut world = World::new();
    let mut peers: Vec<(String, Peer)> = Vec::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some((who, expected)) = line.split_once(" <- ") {
            let peer = &mut peers.iter_mut().find(|(name, _)| name == who).unwrap().1;
            assert_eq!(peer.received(), expected, "{line}");
            continue;
        }
        let (who, rest) = line.split_once(": ").unwrap();
        let (command, expected) = rest.split_once(" -> ").unwrap_or((rest, "+OK"));
        if peers.iter().all(|(name, _)| name != who) {
            let mut peer = world.connect();
            if who == who.to_uppercase() {
                world.run(&mut peer, "HELLO 3");
            }
            peers.push((who.to_owned(), peer));
        }
        let peer = &mut peers.iter_mut().find(|(name, _)| name == who).unwrap().1;
        assert_eq!(world.run(peer, command), expected, "{line}");
        for (name, other) in peers.iter_mut().filter(|(name, _)| name != who) {
            let got = other.outbox.sent.lock().unwrap().bytes.len();
            assert!(got == 0 || script.contains(&format!("{name} <- ")), "{name} got something after {line}");
        }
    }
    for (name, peer) in &mut peers {
        assert_eq!(peer.received(), "", "{name} in the end");
    }
}

#[test]
fn who_has_read_a_key_is_told_once_when_it_changes() {
    play(
        "
        A: CLIENT TRACKING ON
        A: MGET k k2 -> *2 _ _
        b: MSET k 1 k2 2 other 3
        A <- >2 $10 invalidate *1 $1 k >2 $10 invalidate *1 $2 k2
        b: SET k 2
        A: GET k -> $1 2
        A: SET k 3 -> +OK >2 $10 invalidate *1 $1 k
        A: GET k -> $1 3
        b: EXPIRE k 100 -> :1
        A <- >2 $10 invalidate *1 $1 k
        A: EVAL \"return redis.call('get','k')\" 0 -> $1 3
        b: DEL k -> :1
        A <- >2 $10 invalidate *1 $1 k
        A: GET k -> _
        b: FLUSHALL
        A <- >2 $10 invalidate _
        A: GET k -> _
        A: CLIENT TRACKING OFF
        b: SET k 1
        ",
    );
}

#[test]
fn a_key_that_time_has_ended_is_told_of_even_to_its_writer() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.run(&mut peer, "HELLO 3");
    for line in ["CLIENT TRACKING ON NOLOOP", "SET k 1 PX 50", "GET k"] {
        world.run(&mut peer, line);
    }
    world.run(&mut peer, "SET k 1 PX 50");
    assert_eq!(world.run(&mut peer, "GET k"), "$1 1");
    world.pass(60);
    assert_eq!(peer.received(), ">2 $10 invalidate *1 $1 k");
}

#[test]
fn no_loop_spares_who_has_written() {
    play(
        "
        A: CLIENT TRACKING ON NOLOOP
        A: GET k -> _
        A: SET k 3
        b: SET k 4
        A: GET k -> $1 4
        b: SET k 5
        A <- >2 $10 invalidate *1 $1 k
        ",
    );
}

#[test]
fn who_broadcasts_is_told_of_all_keys_under_its_prefixes() {
    play(
        "
        A: CLIENT TRACKING ON BCAST PREFIX x PREFIX y
        b: MSET x1 1 y1 1 x2 1 z 1
        A <- >2 $10 invalidate *2 $2 x1 $2 x2 >2 $10 invalidate *1 $2 y1
        b: MULTI
        b: SET x1 2 -> +QUEUED
        b: SET x0 2 -> +QUEUED
        b: EXEC -> *2 +OK +OK
        A <- >2 $10 invalidate *2 $2 x0 $2 x1
        A: SET x9 2 -> +OK >2 $10 invalidate *1 $2 x9
        A: CLIENT TRACKINGINFO -> %3 $5 flags ~2 $2 on $5 bcast $8 redirect :0 $8 prefixes *2 $1 x $1 y
        A: CLIENT TRACKING ON BCAST PREFIX x1 -> -ERR Prefix 'x1' overlaps with an existing prefix 'x'. Prefixes for a single client must not overlap.
        A: CLIENT TRACKING ON -> -ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.
        A: CLIENT TRACKING OFF
        A: CLIENT TRACKING ON BCAST
        b: SET z 1
        A <- >2 $10 invalidate *1 $1 z
        ",
    );
}

#[test]
fn what_is_tracked_can_be_chosen_for_each_request() {
    play(
        "
        A: CLIENT TRACKING ON OPTIN
        A: GET k -> _
        b: SET k 1
        A: CLIENT CACHING YES
        A: CLIENT TRACKINGINFO -> %3 $5 flags ~3 $2 on $5 optin $11 caching-yes $8 redirect :0 $8 prefixes *0
        A: GET k -> $1 1
        A: GET l -> _
        b: MSET k 1 l 1
        A <- >2 $10 invalidate *1 $1 k
        A: CLIENT CACHING NO -> -ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.
        A: CLIENT TRACKING OFF
        A: CLIENT TRACKING ON OPTOUT
        A: CLIENT CACHING YES -> -ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.
        A: CLIENT CACHING NO
        A: GET k -> $1 1
        A: GET l -> $1 1
        b: MSET k 2 l 2
        A <- >2 $10 invalidate *1 $1 l
        A: CLIENT TRACKING OFF
        A: CLIENT TRACKING ON OPTIN
        A: CLIENT CACHING YES
        A: MULTI
        A: GET k -> +QUEUED
        A: GET l -> +QUEUED
        A: EXEC -> *2 $1 2 $1 2
        b: MSET k 3 l 3
        A <- >2 $10 invalidate *1 $1 k >2 $10 invalidate *1 $1 l
        ",
    );
}

#[test]
fn another_client_can_be_told_instead_in_either_protocol() {
    play(
        "
        s: CLIENT ID -> :1
        s: SUBSCRIBE __redis__:invalidate -> *3 $9 subscribe $20 __redis__:invalidate :1
        a: CLIENT TRACKING ON REDIRECT 1
        a: CLIENT GETREDIR -> :1
        a: GET k -> $-1
        b: SET k 1
        s <- *3 $7 message $20 __redis__:invalidate *1 $1 k
        b: FLUSHDB
        s <- *3 $7 message $20 __redis__:invalidate $-1
        S: CLIENT ID -> :4
        a: CLIENT TRACKING ON REDIRECT 4
        a: GET k -> $-1
        b: SET k 1
        S <- >2 $10 invalidate *1 $1 k
        a: CLIENT TRACKING ON
        a: GET k -> $1 1
        b: SET k 2
        ",
    );
}

#[test]
fn who_has_nobody_left_to_be_told_instead_learns_of_it() {
    let mut world = World::new();
    let [mut other, mut peer, mut writer] = [(); 3].map(|()| world.connect());
    world.run(&mut peer, "HELLO 3");
    assert_eq!(world.run(&mut peer, "CLIENT TRACKING ON REDIRECT 1"), "+OK");
    world.run(&mut peer, "GET k");
    assert_eq!(world.run(&mut other, "PING"), "+PONG");
    world.server.disconnect(other.session);
    world.run(&mut writer, "SET k 1");
    assert_eq!(peer.received(), ">2 $21 tracking-redir-broken :1");
    let info = world.run(&mut peer, "CLIENT TRACKINGINFO");
    assert!(info.contains("$15 broken_redirect $8 redirect :1"), "{info}");
    assert!(world.run(&mut peer, "CLIENT INFO").contains("flags=tR "));
}

#[test]
fn options_that_do_not_go_together_are_refused_in_redis_words() {
    super::harness::check(
        "
        CLIENT GETREDIR -> :-1
        CLIENT TRACKINGINFO -> *6 $5 flags *1 $3 off $8 redirect :-1 $8 prefixes *0
        CLIENT CACHING yes -> -ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled
        CLIENT TRACKING on PREFIX a -> -ERR PREFIX option requires BCAST mode to be enabled
        CLIENT TRACKING on bcast optin -> -ERR OPTIN and OPTOUT are not compatible with BCAST
        CLIENT TRACKING on optin optout -> -ERR You can't specify both OPTIN mode and OPTOUT mode
        CLIENT TRACKING on redirect 99 -> -ERR The client ID you want redirect to does not exist
        CLIENT TRACKING on redirect x -> -ERR value is not an integer or out of range
        CLIENT TRACKING on redirect 1 redirect 1 -> -ERR A client can only redirect to a single other client
        CLIENT TRACKING on bcast prefix ab prefix a -> -ERR Prefix 'ab' overlaps with another provided prefix 'a'. Prefixes for a single client must not overlap.
        CLIENT TRACKING maybe -> -ERR syntax error
        CLIENT TRACKING on PREFIX -> -ERR syntax error
        CLIENT TRACKING on optin
        CLIENT TRACKING on optout -> -ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.
        CLIENT CACHING maybe -> -ERR syntax error
        RESET -> +RESET
        CLIENT GETREDIR -> :-1
        ",
    );
}

#[test]
fn what_is_remembered_has_a_bound_and_who_is_forgotten_is_told() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.run(&mut peer, "HELLO 3");
    world.run(&mut peer, "CLIENT TRACKING ON");
    let limit = adsum_resp::limits::TRACKED_BYTES;
    let (long, count) = ("k".repeat(60_000), limit / 60_000 + 2);
    let mut told = 0;
    for number in 0..count {
        world.send(&mut peer, format!("EXISTS {long}{number:05}\r\n").as_bytes());
        told += peer.take().windows(10).filter(|bytes| *bytes == b"invalidate").count();
    }
    assert!((1..10).contains(&told), "{told}");
    world.send(&mut peer, b"INFO stats\r\n");
    let info = String::from_utf8(peer.take()).unwrap();
    assert!(info.contains(&format!("tracking_total_keys:{}\r\n", count - told)), "{info}");
    world.run(&mut peer, "CLIENT TRACKING OFF");
    assert!(world.run(&mut peer, "INFO stats").contains("tracking_total_items:0 "));
}

#[test]
fn the_prefixes_of_a_client_have_a_bound() {
    let mut world = World::new();
    let mut peer = world.connect();
    let refused = "-ERR a client can track 1000 prefixes of 1048576 bytes at most";
    let many = |count: usize, width: usize| -> String {
        (0..count).map(|n| format!(" PREFIX {n:0width$}")).collect()
    };
    assert_eq!(world.run(&mut peer, &format!("CLIENT TRACKING ON BCAST{}", many(1001, 4))), refused);
    assert_eq!(world.run(&mut peer, &format!("CLIENT TRACKING ON BCAST{}", many(1, 60_000))), "+OK");
    assert_eq!(
        world.run(&mut peer, &format!("CLIENT TRACKING ON BCAST{}", many(999, 4))),
        "-ERR Prefix '0000' overlaps with an existing prefix '".to_owned()
            + &"0".repeat(60_000)
            + "'. Prefixes for a single client must not overlap."
    );
    world.run(&mut peer, "CLIENT TRACKING OFF");
    assert_eq!(world.run(&mut peer, &format!("CLIENT TRACKING ON BCAST{}", many(1000, 4))), "+OK");
    assert_eq!(world.run(&mut peer, "CLIENT TRACKING ON BCAST PREFIX x"), refused);
    assert!(world.run(&mut peer, "INFO stats").contains("tracking_total_prefixes:1000 "));
    world.server.disconnect(peer.session);
    let mut other = world.connect();
    assert!(world.run(&mut other, "INFO stats").contains("tracking_total_prefixes:0 "));
}

#[test]
fn all_who_share_a_prefix_are_told_and_the_author_of_what_is_not_its_own() {
    play(
        "
        A: CLIENT TRACKING ON BCAST PREFIX x NOLOOP
        B: CLIENT TRACKING ON BCAST PREFIX x
        A: MSET x1 1 x2 2 y 3
        B <- >2 $10 invalidate *2 $2 x1 $2 x2
        B: SET x1 2 -> +OK >2 $10 invalidate *1 $2 x1
        A <- >2 $10 invalidate *1 $2 x1
        ",
    );
}

#[test]
fn who_tracks_with_other_options_keeps_what_it_has_read() {
    play(
        "
        A: CLIENT TRACKING ON
        A: GET k -> _
        A: CLIENT TRACKING ON NOLOOP
        b: SET k 1
        A <- >2 $10 invalidate *1 $1 k
        A: CLIENT TRACKING OFF
        A: CLIENT TRACKING ON BCAST PREFIX x
        A: CLIENT TRACKING ON BCAST PREFIX y
        b: MSET x1 1 y1 1
        A <- >2 $10 invalidate *1 $2 x1 >2 $10 invalidate *1 $2 y1
        ",
    );
}

#[test]
fn no_loop_keeps_what_is_read_behind_ones_own_write() {
    play(
        "
        A: CLIENT TRACKING ON NOLOOP
        A: MULTI
        A: SET k 1 -> +QUEUED
        A: GET k -> +QUEUED
        A: EXEC -> *2 +OK $1 1
        b: SET k 2
        A <- >2 $10 invalidate *1 $1 k
        A: EVAL \"redis.call('set','k',3) redis.call('set','k',4) return redis.call('get','k')\" 0 -> $1 4
        b: SET k 5
        A <- >2 $10 invalidate *1 $1 k
        A: GET k -> $1 5
        A: SET k 6
        b: SET k 7
        A: PING -> +PONG
        ",
    );
}

#[test]
fn what_a_client_that_has_waited_does_is_its_own_change_and_nobody_elses() {
    let mut world = World::new();
    let [mut author, mut waiting, mut broadcast] = [(); 3].map(|()| world.connect());
    for peer in [&mut author, &mut waiting, &mut broadcast] {
        world.run(peer, "HELLO 3");
    }
    world.run(&mut author, "CLIENT TRACKING ON NOLOOP");
    world.run(&mut waiting, "CLIENT TRACKING ON NOLOOP");
    world.run(&mut broadcast, "CLIENT TRACKING ON NOLOOP BCAST PREFIX dst");
    assert_eq!(world.run(&mut author, "LLEN dst"), ":0");
    assert_eq!(world.run(&mut waiting, "LLEN dst"), ":0");
    assert_eq!(world.run(&mut waiting, "BLMOVE src dst LEFT LEFT 0"), "");
    assert_eq!(world.run(&mut author, "LPUSH src x"), ":1 >2 $10 invalidate *1 $3 dst");
    assert_eq!(waiting.received(), "$1 x");
    assert_eq!(broadcast.received(), ">2 $10 invalidate *1 $3 dst");
}

#[test]
fn very_many_changes_of_ones_own_are_told_as_one() {
    let told = |count: usize| -> String {
        let mut world = World::new();
        let mut peer = world.connect();
        world.run(&mut peer, "HELLO 3");
        world.run(&mut peer, "CLIENT TRACKING ON");
        let keys: String = (0..count).map(|n| format!(" {n}")).collect();
        let pairs: String = (0..count).map(|n| format!(" {n} x")).collect();
        world.run(&mut peer, &format!("EXISTS{keys}"));
        world.run(&mut peer, &format!("MSET{pairs}"))
    };
    let limit = adsum_resp::limits::PENDING;
    assert_eq!(told(limit).matches("invalidate *1 ").count(), limit);
    assert_eq!(told(limit + 1), "+OK >2 $10 invalidate _");
}

#[test]
fn too_many_prefixes_are_refused_before_they_are_compared() {
    let mut world = World::new();
    let mut peer = world.connect();
    let refused = "-ERR a client can track 1000 prefixes of 1048576 bytes at most";
    // They overlap, so a comparison would say so.
    assert_eq!(
        world.run(&mut peer, &format!("CLIENT TRACKING ON BCAST{}", " PREFIX a".repeat(1001))),
        refused
    );
    let long = format!(" PREFIX {}", "a".repeat(30_000)).repeat(40);
    let request = format!("CLIENT TRACKING ON BCAST{long}");
    let words: String = request.split(' ').map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    world.send(&mut peer, format!("*{}\r\n{words}", request.split(' ').count()).as_bytes());
    assert_eq!(peer.received(), refused);
}

#[test]
fn streams_that_are_read_are_tracked() {
    play(
        "
        A: CLIENT TRACKING ON
        A: XREAD STREAMS s t 0 0 -> _
        b: XADD s 1-0 f v -> $3 1-0
        A <- >2 $10 invalidate *1 $1 s
        b: XADD s 2-0 f v -> $3 2-0
        b: XADD t 1-0 f v -> $3 1-0
        A <- >2 $10 invalidate *1 $1 t
        ",
    );
}

#[test]
fn what_is_told_of_a_request_comes_behind_a_reply_that_is_written_later() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.run(&mut peer, "HELLO 3");
    let pairs: String = (0..adsum_resp::limits::AT_ONCE + 1).map(|n| format!(" {n} x")).collect();
    world.run(&mut peer, &format!("MSET{pairs}"));
    for line in ["SET due 1 PX 50", "CLIENT TRACKING ON", "GET due"] {
        world.run(&mut peer, line);
    }
    // Later, and no round has taken it out yet: KEYS does.
    (world.now.tick, world.now.wall) = (world.now.tick + 60, world.now.wall + 60);
    let Flow::Deferred(deferred) = world.execute(&mut peer, "KEYS *") else { panic!("it is long") };
    assert_eq!(peer.received(), "");
    let (revision, reply) = deferred.write();
    peer.outbox.release(revision, &reply);
    let got = peer.received();
    assert!(got.starts_with("*5001 ") && got.ends_with(" >2 $10 invalidate *1 $3 due"), "{got}");
}
