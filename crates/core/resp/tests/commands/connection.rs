//! The handshake, and what a connection tells of itself.

use adsum_resp::{Flow, Wake};

use super::harness::{World, check};

#[test]
fn a_connection_is_greeted_and_named() {
    check(
        r#"
        PING -> +PONG
        PING hi -> $2 hi
        ECHO hi -> $2 hi
        CLIENT ID -> :1
        CLIENT GETNAME -> $-1
        CLIENT SETNAME web-1
        CLIENT GETNAME -> $5 web-1
        CLIENT SETNAME "a b" -> -ERR Client names cannot contain spaces, newlines or special characters.
        CLIENT SETNAME ""
        CLIENT GETNAME -> $-1
        CLIENT SETINFO lib-name redis-rs
        CLIENT SETINFO LIB-VER 1.0
        CLIENT SETINFO lib-ver "1 0" -> -ERR lib-ver cannot contain spaces, newlines or special characters.
        CLIENT SETINFO other x -> -ERR Unrecognized option 'other'
        CLIENT NO-EVICT on
        CLIENT NO-TOUCH maybe -> -ERR syntax error
        CLIENT MAINT_NOTIFICATIONS on -> -ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.
        "#,
    );
}

#[test]
fn hello_changes_the_protocol() {
    let map = "$6 server $5 redis $7 version $5 7.2.4 $5 proto :VERSION $2 id :1 $4 mode $10 standalone $4 role $6 master $7 modules *0";
    let (two, three) = (map.replace("VERSION", "2"), map.replace("VERSION", "3"));
    check(&format!(
        "
        HELLO -> *14 {two}
        HELLO 3 -> %7 {three}
        GET nope -> _
        LPOP nope 1 -> _
        CONFIG GET maxmemory -> %1 $9 maxmemory $1 0
        HELLO 2 AUTH default x SETNAME me -> *14 {two}
        CLIENT GETNAME -> $2 me
        HELLO 4 -> -NOPROTO unsupported protocol version
        HELLO x -> -ERR Protocol version is not an integer or out of range
        HELLO 3 WHAT -> -ERR Syntax error in HELLO option 'WHAT'
        HELLO 3 AUTH you x -> -WRONGPASS invalid username-password pair or user is disabled.
        GET nope -> $-1
        HELLO 3 -> %7 {three}
        RESET -> +RESET
        GET nope -> $-1
        "
    ));
}

#[test]
fn auth_answers_as_redis_without_a_password() {
    check(
        "
        AUTH secret -> -ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?
        AUTH default secret
        AUTH you secret -> -WRONGPASS invalid username-password pair or user is disabled.
        AUTH a b c -> -ERR syntax error
        ",
    );
}

#[test]
fn a_name_that_is_too_long_is_told_so() {
    let mut world = World::new();
    let mut peer = world.connect();
    let told = "-ERR a client name of 1025 bytes is longer than the limit of 1024";
    for line in ["CLIENT SETNAME", "HELLO 3 SETNAME"] {
        assert_eq!(world.run(&mut peer, &format!("{line} {}", "a".repeat(1025))), told);
    }
    assert_eq!(world.run(&mut peer, &format!("CLIENT SETNAME {}", "a".repeat(1024))), "+OK");
}

#[test]
fn flags_tell_of_a_client_in_a_transaction_and_of_what_it_has_asked_for() {
    let mut world = World::new();
    let [mut one, mut two] = [(); 2].map(|()| world.connect());
    let mut shown = |world: &mut World, lines: &[&str]| {
        lines.iter().for_each(|line| drop(world.run(&mut one, line)));
        let list = world.run(&mut two, "CLIENT LIST ID 1");
        let field = |name: &str| list.split(' ').find_map(|word| word.strip_prefix(name)).unwrap().to_owned();
        ["flags=", "multi=", "cmd="].map(field)
    };
    for (lines, flags, multi, command) in [
        (&["MULTI"] as &[&str], "x", "0", "multi"),
        (&["SET a 1", "SCRIPT KILL"], "x", "2", "script|kill"),
        (&["EXEC"], "N", "-1", "exec"),
        (&["MULTI", "SET a 1", "DISCARD"], "N", "-1", "discard"),
        (&["WATCH a", "SET a 1"], "d", "-1", "set"),
        (&["MULTI", "EXEC"], "N", "-1", "exec"),
        (&["MULTI", "SET a 1", "NOSUCH", "SET a 2"], "x", "1", "set"),
        (&["EXEC"], "N", "-1", "exec"),
        (&["CLIENT NO-EVICT on", "CLIENT NO-TOUCH on"], "eT", "-1", "client|no-touch"),
        (&["CLIENT NO-EVICT off"], "T", "-1", "client|no-evict"),
        (&["MULTI", "RESET"], "N", "-1", "reset"),
    ] {
        assert_eq!(shown(&mut world, lines), [flags, multi, command].map(str::to_owned), "{lines:?}");
    }
    for id in ["0", "-1"] {
        assert_eq!(world.run(&mut two, &format!("CLIENT LIST ID {id}")), "$0");
    }
    assert_eq!(world.run(&mut two, "CLIENT LIST ID x"), "-ERR Invalid client ID");
}

#[test]
fn clients_are_listed() {
    let mut world = World::new();
    let [mut one, mut two] = [(); 2].map(|()| world.connect());
    world.run(&mut one, "CLIENT SETNAME web-1");
    world.run(&mut one, "CLIENT SETINFO lib-name redis-rs");
    world.run(&mut two, "SELECT 3");
    world.run(&mut two, "SUBSCRIBE a");
    world.pass(5000);
    let list = "id=1 addr=127.0.0.1:1 laddr=127.0.0.1:6379 fd=-1 name=web-1 age=5 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=client|list user=default redir=-1 resp=2 lib-name=redis-rs lib-ver=\\n\
                id=2 addr=127.0.0.1:1 laddr=127.0.0.1:6379 fd=-1 name= age=5 idle=5 flags=P db=3 sub=1 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=subscribe user=default redir=-1 resp=2 lib-name= lib-ver=\\n";
    assert_eq!(world.run(&mut one, "CLIENT LIST").split_once(' ').unwrap().1, list);
    let second = list.split_inclusive("\\n").nth(1).unwrap();
    assert_eq!(world.run(&mut one, "CLIENT LIST TYPE pubsub").split_once(' ').unwrap().1, second);
    assert_eq!(world.run(&mut one, "CLIENT LIST ID 2 9").split_once(' ').unwrap().1, second);
    assert_eq!(world.run(&mut one, "CLIENT LIST TYPE replica"), "$0");
    assert_eq!(world.run(&mut one, "CLIENT LIST TYPE x"), "-ERR Unknown client type 'x'");
    assert!(world.run(&mut one, "CLIENT INFO").contains("cmd=client|info"));
}

#[test]
fn clients_are_killed_and_hear_nothing_more() {
    let mut world = World::new();
    let [mut one, mut two] = [(); 2].map(|()| world.connect());
    world.run(&mut two, "SUBSCRIBE a");
    two.take();
    assert_eq!(world.run(&mut one, "CLIENT KILL TYPE pubsub"), ":1");
    assert_eq!(two.outbox.sent.lock().unwrap().wakes.last(), Some(&Wake::Close("killed by CLIENT KILL")));
    assert_eq!(world.run(&mut one, "PUBLISH a x"), ":0");
    assert_eq!(world.run(&mut one, "CLIENT KILL 1.2.3.4:5"), "-ERR No such client");
    assert_eq!(world.run(&mut one, "CLIENT KILL ID 99"), ":0");
    assert_eq!(world.run(&mut one, "CLIENT KILL LADDR 127.0.0.1:1"), ":0");
    assert!(matches!(world.send(&mut one, b"CLIENT KILL SKIPME no\r\n"), Flow::Close));
    assert_eq!(one.received(), ":1");
}

#[test]
fn replies_can_be_switched_off() {
    let mut world = World::new();
    let mut peer = world.connect();
    assert_eq!(world.run(&mut peer, "CLIENT REPLY OFF"), "");
    assert_eq!(world.run(&mut peer, "SET a 1"), "");
    assert_eq!(world.run(&mut peer, "CLIENT REPLY ON"), "+OK");
    assert_eq!(world.run(&mut peer, "CLIENT REPLY SKIP"), "");
    assert_eq!(world.run(&mut peer, "SET a 2"), "");
    assert_eq!(world.run(&mut peer, "GET a"), "$1 2");
}

#[test]
fn replies_stay_in_step_however_one_is_skipped() {
    let mut world = World::new();
    let mut peer = world.connect();
    let lines = [
        ("CLIENT REPLY SKIP", ""),
        ("CLIENT REPLY SKIP", ""),
        ("PING", ""),
        ("PING", "+PONG"),
        ("CLIENT REPLY SKIP", ""),
        ("CLIENT REPLY ON", "+OK"),
        ("PING", "+PONG"),
        ("CLIENT REPLY SKIP", ""),
        ("CLIENT REPLY OFF", ""),
        ("CLIENT REPLY SKIP", ""),
        ("PING", ""),
        ("PING", ""),
        ("CLIENT REPLY ON", "+OK"),
        ("CLIENT REPLY SKIP", ""),
        ("NOPE", ""),
        ("PING", "+PONG"),
    ];
    for (at, (line, expected)) in lines.into_iter().enumerate() {
        assert_eq!(world.run(&mut peer, line), expected, "{at}: {line}");
    }
}

#[test]
fn quit_says_goodbye() {
    let mut world = World::new();
    let mut peer = world.connect();
    assert!(matches!(world.send(&mut peer, b"QUIT\r\n"), Flow::Close));
    assert_eq!(peer.received(), "+OK");
}
