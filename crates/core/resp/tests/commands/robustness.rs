//! Whatever comes, the server stands.

use adsum_resp::{Parsed, Parser};
use proptest::prelude::*;

use super::harness::{Peer, World};

/// Sends bytes as a connection would: up to an error.
fn feed(world: &mut World, peer: &mut Peer, bytes: &[u8]) {
    let mut parser = Parser::default();
    let mut rest = bytes;
    while let Parsed::Request { consumed, request } = parser.parse(rest) {
        if peer.session.is_blocked() {
            world.server.time_out(&mut peer.session, world.now);
        }
        world.server.execute(&mut peer.session, &request, world.now);
        rest = &rest[consumed..];
    }
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[abl]".prop_map(String::from),
        prop::sample::select(vec![
            "0",
            "1",
            "-1",
            "2",
            "9223372036854775807",
            "-9223372036854775808",
            "1.5",
            "inf",
            "nan",
            "*",
            "a*",
            "[",
            "LEFT",
            "RIGHT",
            "COUNT",
            "MATCH",
            "EX",
            "PX",
            "EXAT",
            "NX",
            "XX",
            "GT",
            "GET",
            "KEEPTTL",
            "IFEQ",
            "RANK",
            "MAXLEN",
            "BEFORE",
            "REPLACE",
            "DB",
            "TYPE",
            "ID",
            "AUTH",
            "SETNAME",
            "HELP",
            "\"\"",
        ])
        .prop_map(String::from),
    ]
}

fn command(names: Vec<String>) -> impl Strategy<Value = String> {
    (prop::sample::select(names), prop::collection::vec(word(), 0..6))
        .prop_map(|(name, words)| format!("{} {}\r\n", name.replace('|', " "), words.join(" ")))
}

/// All names that COMMAND LIST gives, and all subcommands.
fn names() -> Vec<String> {
    let mut world = World::new();
    let mut peer = world.connect();
    let list = world.run(&mut peer, "COMMAND LIST");
    let mut names: Vec<String> =
        list.split(' ').filter(|word| !word.starts_with(['*', '$'])).map(str::to_owned).collect();
    let containers = [
        "CLIENT", "CONFIG", "PUBSUB", "OBJECT", "MEMORY", "ACL", "CLUSTER", "SENTINEL", "SLOWLOG", "LATENCY",
    ];
    for container in containers {
        let help = world.run(&mut peer, &format!("{container} HELP"));
        // A pause would hold everything behind it.
        let subcommands = help.split(" +").skip(1).filter(|name| *name != "PAUSE");
        names.extend(subcommands.map(|name| format!("{container}|{name}")));
    }
    names
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut world = World::new();
        let mut peer = world.connect();
        feed(&mut world, &mut peer, &bytes);
        feed(&mut world, &mut peer, b"*1\r\n$4\r\nPING\r\n");
    }

    #[test]
    fn any_arguments_are_survived_and_every_list_has_elements(
        lines in prop::collection::vec(command(names()), 1..60),
    ) {
        let mut world = World::new();
        let [mut one, mut two] = [(); 2].map(|()| world.connect());
        for (n, line) in lines.iter().enumerate() {
            feed(&mut world, if n % 3 == 0 { &mut two } else { &mut one }, line.as_bytes());
            world.pass(n as u64 % 5);
        }
        for peer in [&one, &two] {
            let revisions = &peer.outbox.sent.lock().unwrap().revisions;
            prop_assert!(revisions.is_sorted(), "what waits for a revision never overtakes");
        }
        let mut probe = world.connect();
        let keys = world.run(&mut probe, "KEYS *");
        for key in keys.split(' ').filter(|word| !word.starts_with(['*', '$'])) {
            prop_assert_ne!(world.run(&mut probe, &format!("LLEN {key}")), ":0");
        }
        let revisions: Vec<u64> = world.server.take_commits().map(|commit| commit.revision.0).collect();
        prop_assert!(revisions.windows(2).all(|pair| pair[0] < pair[1]));
    }
}

#[test]
fn a_pattern_with_many_stars_holds_nobody_up() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.run(&mut peer, &format!("SET {} x", "a".repeat(1000)));
    assert_eq!(world.run(&mut peer, &format!("KEYS {}b", "a*".repeat(500))), "*0");
    let long = "*".repeat(65_530);
    assert_eq!(world.run(&mut peer, &format!("KEYS {long}")).split(' ').next(), Some("*1"));
}
