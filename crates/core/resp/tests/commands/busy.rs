//! What clients get while a script holds everybody up.

use std::time::Duration;

use adsum_resp::Overseer;

use crate::harness::{Peer, show};
use crate::scripts::world;

/// What a client gets without the server.
fn answer_while_busy(peer: &mut Peer, overseer: &Overseer, line: &str) -> String {
    let line = format!("{line}\r\n");
    let mut parser = adsum_resp::Parser::default();
    let adsum_resp::Parsed::Request { request, .. } = parser.parse(line.as_bytes()) else { panic!() };
    let mut out = Vec::new();
    adsum_resp::answer_while_busy(Some(&mut peer.session), &request, overseer, &mut out);
    show(&out)
}

const BUSY: &str = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";

#[test]
fn clients_that_are_refused_while_a_script_runs_can_kill_it() {
    let (mut world, overseer) = world(Duration::from_millis(300));
    let [mut peer, mut other] = [(); 2].map(|()| world.connect());
    world.run(&mut peer, "MULTI");
    overseer.begin();
    assert_eq!(answer_while_busy(&mut peer, &overseer, "GET a"), BUSY);
    assert_eq!(answer_while_busy(&mut other, &overseer, "script kill"), "+OK");
    overseer.end();
    assert!(world.run(&mut peer, "EXEC").starts_with("-EXECABORT"), "a part of it was never queued");
}

#[test]
fn a_kill_behind_multi_waits_for_exec_and_kills_nobody() {
    let (mut world, overseer) = world(Duration::from_millis(300));
    let [mut peer, mut other] = [(); 2].map(|()| world.connect());
    overseer.begin();
    for (line, expected) in [
        ("MULTI", "+OK"),
        ("SCRIPT KILL", "+QUEUED"),
        ("UNWATCH", "+QUEUED"),
        ("AUTH default x", "+QUEUED"),
        ("HELLO 3", "+QUEUED"),
    ] {
        assert_eq!(answer_while_busy(&mut peer, &overseer, line), expected, "{line}");
    }
    overseer.end();
    let [killed, unwatched, authenticated, hello] =
        ["-NOTBUSY No scripts in execution right now.", "+OK", "+OK", "%7 $6 server"];
    let done = world.run(&mut peer, "EXEC");
    assert!(done.starts_with(&format!("*4 {killed} {unwatched} {authenticated} {hello}")), "{done}");
    overseer.begin();
    assert_eq!(answer_while_busy(&mut peer, &overseer, "MULTI"), "+OK");
    assert_eq!(answer_while_busy(&mut peer, &overseer, "SCRIPT KILL"), "+QUEUED");
    assert_eq!(answer_while_busy(&mut other, &overseer, "SCRIPT KILL"), "+OK", "it still ran");
}

#[test]
fn what_redis_refuses_of_a_request_before_it_looks_for_a_script_we_refuse_too() {
    let (mut world, overseer) = world(Duration::from_millis(300));
    let mut peer = world.connect();
    overseer.begin();
    let arity = |name| format!("-ERR wrong number of arguments for '{name}' command");
    for (line, expected) in [
        ("DISCARD x", arity("discard")),
        ("UNWATCH x", arity("unwatch")),
        ("SCRIPT KILL x", arity("script|kill")),
        ("SCRIPT", arity("script")),
        ("SCRIPT KILLX", "-ERR unknown subcommand 'KILLX'. Try SCRIPT HELP.".to_owned()),
        ("GET", arity("get")),
        ("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with:".to_owned()),
        ("SCRIPT HELP", BUSY.to_owned()),
        ("WATCH a", BUSY.to_owned()),
        ("MULTI", "+OK".to_owned()),
        ("WATCH a", "-ERR WATCH inside MULTI is not allowed".to_owned()),
        ("MULTI", "-ERR MULTI calls can not be nested".to_owned()),
    ] {
        assert_eq!(answer_while_busy(&mut peer, &overseer, line), expected, "{line}");
    }
    overseer.end();
    assert_eq!(world.run(&mut peer, "EXEC"), "*0", "none of it was to be queued");
    overseer.begin();
    for (line, expected) in [
        ("MULTI", "+OK".to_owned()),
        (
            "EXEC x",
            "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command"
                .to_owned(),
        ),
        ("DISCARD", "-ERR DISCARD without MULTI".to_owned()),
        ("MULTI", "+OK".to_owned()),
        ("DISCARD x", arity("discard")),
    ] {
        assert_eq!(answer_while_busy(&mut peer, &overseer, line), expected, "{line}");
    }
    overseer.end();
    assert!(world.run(&mut peer, "EXEC").starts_with("-EXECABORT"), "a part of it was never queued");
}

#[test]
fn while_a_script_runs_a_client_can_introduce_itself() {
    let (mut world, overseer) = world(Duration::from_millis(300));
    let [mut peer, mut other, mut third] = [(); 3].map(|()| world.connect());
    world.run(&mut other, "SUBSCRIBE c");
    world.run(&mut third, "HELLO 3");
    world.run(&mut third, "SUBSCRIBE c");
    overseer.begin();
    let hello = answer_while_busy(&mut peer, &overseer, "HELLO 3 AUTH default x SETNAME me");
    assert!(hello.starts_with("%7 $6 server $5 redis"), "{hello}");
    for (line, expected) in [
        ("AUTH default x", "+OK"),
        ("AUTH", "-ERR wrong number of arguments for 'auth' command"),
        ("AUTH me x", "-WRONGPASS invalid username-password pair or user is disabled."),
        ("HELLO 4", "-NOPROTO unsupported protocol version"),
        ("MULTI x", "-ERR wrong number of arguments for 'multi' command"),
        ("MULTI", "+OK"),
        ("RESET", BUSY),
        ("SET a 1", BUSY),
        ("DISCARD", "+OK"),
        ("DISCARD", "-ERR DISCARD without MULTI"),
        ("UNWATCH", "+OK"),
        ("MULTI", "+OK"),
        ("MULTI", "-ERR MULTI calls can not be nested"),
        ("SET a 1", BUSY),
    ] {
        assert_eq!(answer_while_busy(&mut peer, &overseer, line), expected, "{line}");
    }
    let hello = answer_while_busy(&mut other, &overseer, "HELLO 3");
    assert!(hello.starts_with("-ERR Can't execute 'hello': only (P|S)SUBSCRIBE"), "{hello}");
    let hello = answer_while_busy(&mut third, &overseer, "HELLO 2");
    assert_eq!(hello, BUSY, "it has a message on its way, maybe");
    overseer.end();
    assert!(world.run(&mut peer, "EXEC").starts_with("-EXECABORT"), "a part of it was never queued");
    assert_eq!(world.run(&mut peer, "CLIENT GETNAME"), "$2 me");
    assert_eq!(world.run(&mut peer, "GET a"), "_");
}

#[test]
fn an_exec_that_a_script_holds_up_ends_its_transaction() {
    let (mut world, overseer) = world(Duration::from_millis(300));
    let [mut peer, mut other] = [(); 2].map(|()| world.connect());
    for line in ["WATCH k", "MULTI", "SET a 1"] {
        world.run(&mut peer, line);
    }
    overseer.begin();
    let aborted = format!("-EXECABORT Transaction discarded because of: {}", &BUSY[1..]);
    assert_eq!(answer_while_busy(&mut peer, &overseer, "EXEC"), aborted);
    overseer.end();
    assert_eq!(world.run(&mut peer, "GET a"), "$-1", "which is not queued");
    world.run(&mut other, "SET k 1");
    world.run(&mut peer, "MULTI");
    world.run(&mut peer, "SET a 1");
    assert_eq!(world.run(&mut peer, "EXEC"), "*1 +OK", "k is not watched any more");
}
