//! Refusals in Redis' words.

use super::harness::{World, check};

#[test]
fn what_is_no_command_is_told_in_redis_words() {
    check(
        r#"
        FOO -> -ERR unknown command 'FOO', with args beginning with:
        FOO a b -> -ERR unknown command 'FOO', with args beginning with: 'a' 'b'
        GET -> -ERR wrong number of arguments for 'get' command
        Set a -> -ERR wrong number of arguments for 'set' command
        CLIENT -> -ERR wrong number of arguments for 'client' command
        CLIENT FOO -> -ERR unknown subcommand 'FOO'. Try CLIENT HELP.
        CLIENT SETNAME -> -ERR wrong number of arguments for 'client|setname' command
        DEBUG SEGFAULT -> -ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.
        "#,
    );
}

#[test]
fn an_unknown_command_with_its_trailing_blank_as_redis_sends_it() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.send(&mut peer, b"x a b\r\n");
    assert_eq!(peer.take(), b"-ERR unknown command 'x', with args beginning with: 'a' 'b' \r\n");
    world.send(&mut peer, &[b"*2\r\n$2\r\n\r\n\r\n$200\r\n".as_slice(), &[b'y'; 200], b"\r\n"].concat());
    let expected = format!("-ERR unknown command '  ', with args beginning with: '{}' \r\n", "y".repeat(128));
    assert_eq!(String::from_utf8(peer.take()).unwrap(), expected);
}

#[test]
fn a_key_of_another_type_is_refused() {
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    let commands = [
        "GET l",
        "GETSET l x",
        "GETDEL l",
        "GETEX l",
        "APPEND l x",
        "STRLEN l",
        "GETRANGE l 0 1",
        "SETRANGE l 0 x",
        "INCR l",
        "INCRBYFLOAT l 1",
        "SET l x GET",
        "LPUSH s x",
        "LPOP s",
        "LLEN s",
        "LRANGE s 0 1",
        "LINDEX s 0",
        "LSET s 0 x",
        "LINSERT s BEFORE a b",
        "LREM s 0 a",
        "LTRIM s 0 1",
        "LPOS s a",
        "LMOVE s l LEFT LEFT",
        "LMPOP 1 s LEFT",
        "BLPOP s 1",
        "BLMOVE l s LEFT LEFT 1",
    ];
    let lines: String = commands.iter().map(|command| format!("{command} -> {wrong}\n")).collect();
    check(&format!("RPUSH l x -> :1\nSET s x\n{lines}SET l now-a-string\nGET l -> $12 now-a-string"));
}

#[test]
fn what_is_too_long_is_refused_with_the_limit() {
    let mut world = World::new();
    let mut peer = world.connect();
    let mut run = |args: &[&[u8]]| {
        let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            bytes.extend(format!("${}\r\n", arg.len()).into_bytes());
            bytes.extend_from_slice(arg);
            bytes.extend(b"\r\n");
        }
        world.send(&mut peer, &bytes);
        peer.received()
    };
    let (key, value) = (vec![b'k'; 65_536], vec![b'v'; 8 * 1024 * 1024]);
    assert_eq!(run(&[b"SET", &key, &value]), "+OK");
    assert_eq!(
        run(&[b"APPEND", &key, b"x"]),
        "-ERR value of 8388609 bytes is over the limit of 8388608 bytes"
    );
    let long = [&key[..], b"k"].concat();
    for command in [&[b"SET".as_slice(), &long, b"x"][..], &[b"GET", &long], &[b"MGET", b"a", &long]] {
        assert_eq!(run(command), "-ERR key of 65537 bytes is over the limit of 65536 bytes");
    }
    let long = [&value[..], b"v"].concat();
    for command in [
        &[b"SET".as_slice(), b"a", &long][..],
        &[b"RPUSH", b"a", b"b", &long],
        &[b"MSET", b"a", b"1", b"b", &long],
    ] {
        assert_eq!(run(command), "-ERR value of 8388609 bytes is over the limit of 8388608 bytes");
    }
    assert_eq!(
        run(&[b"SETRANGE", b"a", b"8388608", b"x"]),
        "-ERR value of 8388609 bytes is over the limit of 8388608 bytes"
    );
    assert_eq!(run(&[b"EXISTS", b"a", b"b"]), ":0");
}
