//! The same commands to us and to redis-server, and the same answers and events from both, byte for byte.
//!
//! Only what is the same by intent stands here: Adsum sends no event for an LTRIM that trims nothing, lists keys in
//! order, and knows commands of later versions.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use adsum_resp::Flow;

use super::harness::{Peer, World};

const PATH: &str = "/usr/bin/redis-server";

struct Redis {
    process: Child,
    commands: UnixStream,
    events: UnixStream,
    _directory: tempfile::TempDir,
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Redis {
    /// None, with a note, where there is no redis-server 7.
    fn start() -> Option<Redis> {
        let version = Command::new(PATH).arg("--version").output().ok();
        let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        if !version.is_some_and(|version| version.contains("v=7.")) {
            eprintln!("skipped: no redis-server 7 at {PATH} (Debian: apt install redis-server)");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("redis.sock");
        let mut process = Command::new(PATH)
            .args(["--port", "0", "--save", "", "--notify-keyspace-events", "AKE", "--unixsocket"])
            .args([socket.as_path(), "--dir".as_ref(), directory.path()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        assert!(
            lines.any(|line| line.contains("ready to accept connections at")),
            "redis-server has not started"
        );
        std::thread::spawn(move || lines.for_each(drop));
        let connect = || {
            let stream = UnixStream::connect(&socket).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            stream
        };
        Some(Redis { commands: connect(), events: connect(), process, _directory: directory })
    }

    /// The reply to one line, found by the reply to a second one.
    fn run(&mut self, line: &[u8]) -> Vec<u8> {
        const MARK: &[u8] = b"$10\r\n--marker--\r\n";
        let request = [line, b"\r\nECHO --marker--\r\n"].concat();
        self.commands.write_all(&request).unwrap();
        read_until(&mut self.commands, MARK)
    }
}

/// What comes before `mark`.
fn read_until(stream: &mut UnixStream, mark: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while !bytes.ends_with(mark) {
        let count = stream.read(&mut buffer).expect("an answer of redis-server");
        assert!(count > 0, "redis-server closed after {}", bytes.escape_ascii());
        bytes.extend_from_slice(&buffer[..count]);
    }
    bytes.truncate(bytes.len() - mark.len());
    bytes
}

fn run_here(world: &mut World, peer: &mut Peer, line: &[u8]) -> Vec<u8> {
    if let Flow::Blocked { .. } = world.send(peer, &[line, b"\r\n"].concat()) {
        world.server.time_out(&mut peer.session, world.now);
    }
    peer.take()
}

/// Runs all lines on both sides and compares each reply, and all events in the end.
#[track_caller]
fn compare(lines: &[String]) {
    let Some(mut redis) = Redis::start() else { return };
    let mut world = World::new();
    let (mut peer, mut watcher) = (world.connect(), world.connect());
    let subscribe = b"PSUBSCRIBE __key*";
    redis.events.write_all(&[subscribe, b"\r\n".as_slice()].concat()).unwrap();
    let subscribed = read_until(&mut redis.events, b":1\r\n");
    assert!(run_here(&mut world, &mut watcher, subscribe).starts_with(&subscribed));

    let mut differences = Vec::new();
    for line in lines {
        let (theirs, ours) = (redis.run(line.as_bytes()), run_here(&mut world, &mut peer, line.as_bytes()));
        // The answer to this one names the version and the client.
        if ours != theirs && line != "HELLO 3" {
            let (ours, theirs) = (ours.escape_ascii(), theirs.escape_ascii());
            differences.push(format!("{line}\n  ours   {ours}\n  theirs {theirs}\n"));
        }
    }
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.concat());

    let last = b"PUBLISH __key-end x".as_slice();
    redis.run(last);
    let mut theirs = read_until(&mut redis.events, END);
    theirs.extend_from_slice(END);
    run_here(&mut world, &mut peer, last);
    let ours = watcher.take();
    assert_eq!(events(&ours), events(&theirs));
}

/// The last event.
const END: &[u8] = b"$9\r\n__key-end\r\n$1\r\nx\r\n";

/// One line per event, for a difference that can be read.
fn events(bytes: &[u8]) -> Vec<String> {
    bytes.escape_ascii().to_string().split("*4").map(str::to_owned).collect()
}

#[test]
fn a_script_of_all_families_gets_the_same_answers_as_from_redis() {
    compare(
        &SCRIPT.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>(),
    );
}

#[test]
fn commands_drawn_by_lot_get_the_same_answers_as_from_redis() {
    let mut lot = 0x5eed_u64;
    let mut draw = |bound: usize| {
        lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (lot >> 33) as usize % bound
    };
    let lines = (0..5000).map(|_| {
        let form = FORMS[draw(FORMS.len())];
        let words = form.split(' ').map(|word| match word {
            "KEY" => ["a", "b", "c", "l", "m"][draw(5)].to_owned(),
            "WORD" => ["x", "y", "7", "-3", "1.5", "\"\""][draw(6)].to_owned(),
            "INT" => ["0", "1", "2", "-1", "-2", "5", "100", "x"][draw(8)].to_owned(),
            "END" => ["LEFT", "RIGHT", "left"][draw(3)].to_owned(),
            word => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    });
    compare(&lines.collect::<Vec<_>>());
}

const FORMS: &[&str] = &[
    "SET KEY WORD",
    "SET KEY WORD NX",
    "SET KEY WORD XX GET",
    "SET KEY WORD EX 100",
    "SET KEY WORD KEEPTTL",
    "SET KEY WORD EX INT",
    "SET KEY WORD PX 50000 NX",
    "GET KEY",
    "GETSET KEY WORD",
    "GETDEL KEY",
    "GETEX KEY",
    "GETEX KEY EX 100",
    "GETEX KEY PERSIST",
    "MGET KEY KEY KEY",
    "MSET KEY WORD KEY WORD",
    "MSETNX KEY WORD KEY WORD",
    "SETNX KEY WORD",
    "SETEX KEY INT WORD",
    "PSETEX KEY 90000 WORD",
    "APPEND KEY WORD",
    "STRLEN KEY",
    "GETRANGE KEY INT INT",
    "SETRANGE KEY INT WORD",
    "INCR KEY",
    "DECR KEY",
    "INCRBY KEY INT",
    "DECRBY KEY INT",
    "INCRBYFLOAT KEY WORD",
    "DEL KEY KEY",
    "UNLINK KEY",
    "EXISTS KEY KEY",
    "TYPE KEY",
    "RENAME KEY KEY",
    "RENAMENX KEY KEY",
    "COPY KEY KEY",
    "COPY KEY KEY REPLACE",
    "EXPIRE KEY 100",
    "EXPIRE KEY INT",
    "EXPIRE KEY 200 GT",
    "EXPIRE KEY 50 LT",
    "EXPIRE KEY 70 NX",
    "EXPIRE KEY 70 XX",
    "EXPIREAT KEY 1",
    "PERSIST KEY",
    "TTL KEY",
    "TOUCH KEY",
    "LPUSH KEY WORD",
    "RPUSH KEY WORD WORD",
    "LPUSHX KEY WORD",
    "RPUSHX KEY WORD WORD",
    "LPOP KEY",
    "RPOP KEY",
    "LPOP KEY INT",
    "RPOP KEY INT",
    "LLEN KEY",
    "LRANGE KEY INT INT",
    "LINDEX KEY INT",
    "LSET KEY INT WORD",
    "LINSERT KEY BEFORE WORD WORD",
    "LINSERT KEY AFTER WORD WORD",
    "LREM KEY INT WORD",
    "LPOS KEY WORD",
    "LPOS KEY WORD RANK INT",
    "LPOS KEY WORD COUNT INT",
    "LPOS KEY WORD RANK INT COUNT 0 MAXLEN INT",
    "LMOVE KEY KEY END END",
    "RPOPLPUSH KEY KEY",
    "LMPOP 2 KEY KEY END",
    "LMPOP 2 KEY KEY END COUNT INT",
    "BLPOP KEY KEY 0.01",
    "BRPOP KEY 0.01",
    "BLMOVE KEY KEY END END 0.01",
    "BRPOPLPUSH KEY KEY 0.01",
    "BLMPOP 0.01 1 KEY END",
    "DBSIZE",
    "OBJECT REFCOUNT nokey",
];

const SCRIPT: &str = r#"
    PING
    PING hello
    PING a b
    ECHO
    ECHO "a b\r\n\x00"
    nosuch
    NoSuch a "b c" d
    SELECT 1
    SELECT 0
    SELECT 99
    SELECT x
    SET
    SET a
    SET a 1
    SET a 1 NX XX
    SET a 1 EX
    SET a 1 EX 0
    SET a 1 EX -1
    SET a 1 EX x
    SET a 1 EX 10 PX 10
    SET a 1 KEEPTTL EX 10
    SET a 1 EX 9223372036854775807
    SET a 1 PX 9223372036854775807
    SET a 2 GET
    SET a 3 NX GET
    SET a 4 XX GET EX 100
    TTL a
    SET a 5 PXAT 99999999999999
    PEXPIRETIME a
    EXPIRETIME a
    SET a 6 EXAT 99999999999
    EXPIRETIME a
    SETEX a 10
    SETEX a 0 x
    SETEX a x x
    PSETEX a 0 x
    GETEX a EX 0
    GETEX a PERSIST EX 1
    GETEX a WHAT
    GETEX nokey EX 10
    GETEX a EXAT 1
    EXISTS a
    MSET a 1 b
    MSET a 1 b 2 c 3
    MGET a b nokey c
    MSETNX a 9 z 9
    APPEND a 23
    APPEND new 1
    INCR a
    SET a 9223372036854775807
    INCR a
    SET a -9223372036854775808
    DECR a
    DECRBY a -9223372036854775808
    INCRBY a 9223372036854775808
    SET a " 1"
    INCR a
    SET a 10.50
    INCRBYFLOAT a 0.1
    INCRBYFLOAT a -5
    INCRBYFLOAT a 1e2
    INCRBYFLOAT a x
    INCRBYFLOAT nofloat 3.0
    SET a 0.1
    INCRBYFLOAT a 0.2
    INCRBYFLOAT a 1.23456789
    SET a "This is a string"
    GETRANGE a 0 3
    GETRANGE a -3 -1
    GETRANGE a 10 100
    GETRANGE a -100 -50
    GETRANGE a 5 2
    SUBSTR a 0 1
    SETRANGE a -1 x
    SETRANGE a 30 x
    GET a
    SETRANGE nokey2 0 ""
    STRLEN a
    STRLEN nokey
    TYPE a
    TYPE nokey
    DEL nokey
    EXPIRE a 100 NX XX
    EXPIRE a 100 GT LT
    EXPIRE a 100 FOO
    EXPIRE a x
    EXPIRE a 9223372036854775807
    EXPIRE a -9223372036854775808
    PEXPIRE a 9223372036854775807
    EXPIREAT a 9223372036854775807
    EXPIRE a 100
    EXPIRE a 50 GT
    EXPIRE a 50 LT
    TTL a
    PERSIST a
    TTL a
    TTL nokey
    PTTL nokey
    EXPIRETIME nokey
    PEXPIRETIME b
    PEXPIREAT b 1
    EXISTS b
    RENAME nokey x
    RENAME c c
    RENAMENX c c
    RENAME c d
    COPY d d
    COPY d e DB x
    COPY d e DB 99
    COPY d e DB 3 REPLACE
    COPY d e FOO
    MOVE d 3
    MOVE d 0
    MOVE d x
    SELECT 3
    KEYS e
    GET e
    FLUSHDB
    SELECT 0
    KEYS [
    KEYS nokey*
    SCAN 0 COUNT 0
    SCAN 0 COUNT x
    SCAN 0 MATCH
    SCAN 0 FOO 1
    SCAN x
    SCAN 0 TYPE nosuchtype
    SCAN 0 MATCH nokey* COUNT 10000
    DEL l
    RPUSH l
    RPUSH l a b c a b c
    LPUSH l z
    LRANGE l 0 -1
    LRANGE l -100 100
    LRANGE l 3 1
    LRANGE l a b
    LINDEX l 0
    LINDEX l -1
    LINDEX l 100
    LINDEX l x
    LINDEX nokey x
    LSET l 0 Z
    LSET l 100 x
    LSET l x x
    LSET nokey 0 x
    LINSERT l BEFORE a 1
    LINSERT l AFTER c 2
    LINSERT l MID c 2
    LINSERT l AFTER nope 2
    LINSERT nokey AFTER nope 2
    LREM l 1 a
    LREM l -1 c
    LREM l x c
    LREM l 0 b
    LPOS l c RANK 0
    LPOS l c COUNT -1
    LPOS l c MAXLEN -1
    LPOS l c RANK x
    LPOS l c RANK -1
    LPOS l c FOO 1
    LPOS l c RANK
    LPOP l x
    LPOP l -1
    LPOP l 0
    LPOP l 1 2
    LPOP nokey 0
    RPOP l 2
    LTRIM l 1 -2
    LRANGE l 0 -1
    LTRIM l x 1
    LMOVE l m LEFT
    LMOVE l m LEFT DOWN
    LMOVE l m LEFT RIGHT
    LMOVE l l LEFT RIGHT
    RPUSH l q w e
    LMPOP 0 l LEFT
    LMPOP x l LEFT
    LMPOP 1 l
    LMPOP 1 l UP
    LMPOP 2 l LEFT
    LMPOP 1 l LEFT COUNT 0
    LMPOP 1 l LEFT COUNT x
    LMPOP 1 l LEFT COUNT 1 COUNT 2
    LMPOP 1 l LEFT COUNT 2
    BLMPOP 0.01 1 nokey LEFT
    BLMPOP -1 1 nokey LEFT
    BLMPOP 0 0 nokey LEFT
    BLPOP nokey 0.01
    BLPOP nokey -1
    BLPOP nokey x
    BLPOP l 0.01
    BRPOP nokey l 0.01
    BLMOVE nokey x LEFT RIGHT 0.01
    BLMOVE nokey x LEFT UP 0.01
    BRPOPLPUSH nokey x 0.01
    BRPOPLPUSH nokey x foo
    GET l
    SET s x
    LPUSH s a
    BLPOP s 0.01
    LMOVE l s LEFT LEFT
    LLEN s
    INCR l
    MGET l s
    SUBSCRIBE
    PUBLISH a
    PUBLISH nochannel x
    PUBSUB CHANNELS nochannel*
    PUBSUB NUMSUB
    PUBSUB NUMSUB a b
    PUBSUB FOO
    UNSUBSCRIBE
    PUNSUBSCRIBE nochannel
    AUTH x
    AUTH default x
    AUTH foo x
    AUTH a b c
    HELLO 1
    HELLO x
    HELLO 2 FOO
    HELLO 2 SETNAME
    CLIENT
    CLIENT FOO
    CLIENT SETNAME "a b"
    CLIENT SETNAME me
    CLIENT GETNAME
    CLIENT NO-EVICT on
    CLIENT NO-EVICT foo
    CLIENT KILL 1.2.3.4:5
    CLIENT KILL ID x
    CLIENT KILL ID 99999
    CLIENT KILL FOO bar
    CLIENT KILL TYPE foo
    CLIENT KILL SKIPME foo
    CLIENT LIST TYPE foo
    CLIENT LIST ID x
    CLIENT LIST TYPE replica
    CLIENT REPLY foo
    CONFIG GET
    CONFIG GET maxmemory
    CONFIG GET maxmemory-policy
    CONFIG GET databases
    CONFIG GET nosuch*
    CONFIG SET nosuch 1
    CONFIG SET maxmemory
    CONFIG SET notify-keyspace-events q
    CONFIG SET databases 3
    CONFIG SET notify-keyspace-events KA
    CONFIG GET notify-keyspace-events
    CONFIG SET notify-keyspace-events AKE
    CONFIG FOO
    CONFIG REWRITE
    CONFIG RESETSTAT
    COMMAND COUNT x
    COMMAND GETKEYS
    COMMAND GETKEYS GET a
    COMMAND GETKEYS MSET a 1 b 2
    COMMAND GETKEYS BLMPOP 0 2 a b LEFT
    COMMAND GETKEYS OBJECT ENCODING a
    COMMAND INFO nosuch
    COMMAND DOCS nosuch
    COMMAND LIST FILTERBY PATTERN LPUSH*x
    OBJECT
    OBJECT ENCODING nokey
    OBJECT FOO a
    SET i 12345
    OBJECT ENCODING i
    SET i abcdef
    OBJECT ENCODING i
    OBJECT ENCODING l
    OBJECT FREQ i
    OBJECT REFCOUNT i
    MEMORY USAGE nokey
    MEMORY USAGE i SAMPLES x
    MEMORY USAGE i FOO 1
    DEBUG SLEEP 0
    WAIT 0 x
    WAIT 0 -1
    WAIT x 0
    WAIT 0 0
    ROLE
    TIME x
    DBSIZE x
    FLUSHDB FOO
    FLUSHALL ASYNC
    DBSIZE
    RANDOMKEY
    HELLO 3
    GET nokey
    LPOP nokey 1
    CONFIG GET maxmemory
    BLPOP nokey 0.01
    RESET
    GET nokey
"#;
