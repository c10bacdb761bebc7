//! Clients that are held, let go of, or sent to sleep by a request.

use std::time::Duration;

use adsum_resp::{Flow, Wake};

use super::harness::{World, check};

#[test]
fn a_client_that_waits_is_let_go_of_by_another_one() {
    let mut world = World::new();
    let [mut peer, mut other] = [(); 2].map(|()| world.connect());
    assert_eq!(world.run(&mut other, "CLIENT UNBLOCK 1"), ":0", "it does not wait");
    for (how, expected) in [
        ("CLIENT UNBLOCK 1", "*-1"),
        ("CLIENT UNBLOCK 1 timeout", "*-1"),
        ("CLIENT UNBLOCK 1 ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK"),
    ] {
        for command in ["BLPOP l 0", "XREAD BLOCK 0 STREAMS adsum:watch:/ $", "XREAD BLOCK 0 STREAMS x $"] {
            assert!(matches!(
                world.send(&mut peer, format!("{command}\r\n").as_bytes()),
                Flow::Blocked { .. }
            ));
            assert_eq!(world.run(&mut other, how), ":1");
            assert_eq!(peer.received(), expected, "{command}");
            assert_eq!(peer.outbox.sent.lock().unwrap().wakes.last(), Some(&Wake::Unblocked));
            assert!(!peer.session.is_blocked());
        }
    }
    assert_eq!(world.run(&mut other, "RPUSH l x"), ":1");
    assert_eq!(world.run(&mut other, "LLEN l"), ":1", "nobody waits for it any more");
    check(
        "
        CLIENT UNBLOCK x -> -ERR value is not an integer or out of range
        CLIENT UNBLOCK -1 -> :0
        CLIENT UNBLOCK 1 x -> -ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR
        ",
    );
}

#[test]
fn writes_are_held_until_the_pause_ends() {
    let mut world = World::new();
    let [mut peer, mut other] = [(); 2].map(|()| world.connect());
    assert_eq!(world.run(&mut other, "CLIENT PAUSE 100 WRITE"), "+OK");
    assert_eq!(world.run(&mut peer, "GET a"), "$-1");
    for line in ["SET a 1", "PUBLISH c x", "EVAL \"return 1\" 0", "MULTI", "GET a"] {
        let held = matches!(world.execute(&mut peer, line), Flow::Paused { .. });
        assert_eq!(held, line != "MULTI" && line != "GET a", "{line}");
    }
    assert_eq!(peer.received(), "+OK +QUEUED");
    assert!(matches!(world.execute(&mut peer, "EXEC"), Flow::Continue), "it has no write");
    let Flow::Paused { rest } = world.execute(&mut peer, "SET a 1") else { panic!() };
    assert_eq!(rest, Duration::from_millis(100));
    world.pass(99);
    assert!(matches!(world.execute(&mut peer, "SET a 1"), Flow::Paused { .. }));
    world.pass(1);
    assert!(matches!(world.execute(&mut peer, "SET a 1"), Flow::Continue));
}

#[test]
fn a_script_is_held_by_a_pause_of_writes_unless_it_says_that_it_does_not_write() {
    let mut world = World::new();
    let [mut peer, mut other] = [(); 2].map(|()| world.connect());
    let [unsaid, may, never, refused] =
        ["return 1", "#!lua\\nreturn 1", "#!lua flags=no-writes\\nreturn 1", "#!lua flags=x\\nreturn 1"];
    let mut load = |body| world.run(&mut peer, &format!("SCRIPT LOAD \"{body}\""))[4..].to_owned();
    let [unsaid_sha, may_sha, never_sha] = [unsaid, may, never].map(&mut load);
    world.run(&mut other, "CLIENT PAUSE 100000 WRITE");
    let unknown = "0".repeat(40);
    for (name, scripts) in [
        ("EVAL", [(unsaid, true), (may, true), (never, false), (refused, true)]),
        ("EVAL_RO", [(unsaid, false), (may, true), (never, false), (refused, false)]),
        ("EVALSHA", [(&unsaid_sha, true), (&may_sha, true), (&never_sha, false), (&unknown, true)]),
        ("EVALSHA_RO", [(&unsaid_sha, false), (&may_sha, true), (&never_sha, false), (&unknown, false)]),
    ] {
        for (script, held) in scripts {
            let line = format!("{name} \"{script}\" 0");
            let flow = world.execute(&mut peer, &line);
            assert_eq!(matches!(flow, Flow::Paused { .. }), held, "{line}");
        }
    }
    world.run(&mut peer, "MULTI");
    world.run(&mut peer, &format!("EVALSHA {never_sha} 0"));
    peer.received();
    assert_eq!(world.run(&mut peer, "EXEC"), "*1 :1");
}

#[test]
fn what_is_refused_anyway_is_not_held() {
    let mut world = World::new();
    let [mut peer, mut other] = [(); 2].map(|()| world.connect());
    world.run(&mut other, "CLIENT PAUSE 100000");
    for (line, expected) in [
        ("SET a", "-ERR wrong number of arguments for 'set' command"),
        ("EVAL", "-ERR wrong number of arguments for 'eval' command"),
        ("CLIENT NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP."),
    ] {
        assert_eq!(world.run(&mut peer, line), expected);
    }
}

#[test]
fn an_exec_with_a_write_is_held_and_goes_on_when_the_pause_is_ended() {
    let mut world = World::new();
    let [mut peer, mut other] = [(); 2].map(|()| world.connect());
    for line in ["MULTI", "SET a 1"] {
        world.run(&mut peer, line);
    }
    world.run(&mut other, "CLIENT PAUSE 100000 WRITE");
    world.run(&mut other, "CLIENT PAUSE 10 WRITE");
    let Flow::Paused { rest } = world.execute(&mut peer, "EXEC") else { panic!() };
    assert_eq!(rest, Duration::from_secs(100), "a pause becomes no shorter");
    assert_eq!(world.run(&mut other, "CLIENT UNPAUSE"), "+OK");
    assert_eq!(peer.outbox.sent.lock().unwrap().wakes.last(), Some(&Wake::Unblocked));
    assert_eq!(world.run(&mut peer, "EXEC"), "*1 +OK");
}

#[test]
fn all_requests_are_held_by_a_pause_of_all() {
    let mut world = World::new();
    let mut peer = world.connect();
    assert_eq!(world.run(&mut peer, "CLIENT PAUSE 50"), "+OK");
    assert!(matches!(world.execute(&mut peer, "PING"), Flow::Paused { .. }));
    assert_eq!(world.run(&mut peer, "NOSUCH"), "-ERR unknown command 'NOSUCH', with args beginning with:");
    world.pass(50);
    assert_eq!(world.run(&mut peer, "PING"), "+PONG");
    assert_eq!(world.run(&mut peer, "CLIENT PAUSE 9223372036854775807"), "+OK");
    assert!(matches!(world.execute(&mut peer, "PING"), Flow::Paused { .. }));
    assert_eq!(world.run(&mut peer, "CLIENT UNPAUSE"), "+OK", "or nobody could");
    assert_eq!(world.run(&mut peer, "PING"), "+PONG");
    check(
        "
        CLIENT PAUSE x -> -ERR timeout is not an integer or out of range
        CLIENT PAUSE -1 -> -ERR timeout is negative
        CLIENT PAUSE 1 x -> -ERR CLIENT PAUSE mode must be WRITE or ALL
        CLIENT PAUSE 9223372036854775807 WRITE
        CLIENT UNPAUSE
        SET a 1
        ",
    );
}

#[test]
fn debug_sleep_has_nobody_else_wait() {
    let mut world = World::new();
    let [mut peer, mut other] = [(); 2].map(|()| world.connect());
    let Flow::Blocked { timeout } = world.send(&mut peer, b"DEBUG SLEEP 0.5\r\n") else { panic!() };
    assert_eq!(timeout, Some(Duration::from_millis(500)));
    assert_eq!(world.run(&mut other, "PING"), "+PONG");
    world.server.time_out(&mut peer.session, world.now);
    assert_eq!(peer.received(), "+OK");
    let Flow::Blocked { timeout } = world.send(&mut peer, b"DEBUG SLEEP 1e300\r\n") else { panic!() };
    assert_eq!(timeout, Some(Duration::from_secs(86_400)), "no longer than a day");
}
