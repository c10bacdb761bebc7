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

/// One command a line, or several with ` ;; ` between them, sent at once.
const SCRIPT: &str = include_str!("differential/script.txt");
/// The same for EVAL and its like.
const SCRIPTS: &str = include_str!("differential/scripts.txt");
/// One command a line, in which words in capitals such as KEY are drawn: see [`drawn`].
const FORMS: &str = include_str!("differential/forms.txt");
const BITS: &str = include_str!("differential/bits.txt");
const HASHES: &str = include_str!("differential/hashes.txt");
const SETS: &str = include_str!("differential/sets.txt");
const SORTED_SETS: &str = include_str!("differential/sorted_sets.txt");
const SORTS: &str = include_str!("differential/sorts.txt");
const STREAMS: &str = include_str!("differential/streams.txt");

pub(crate) struct Redis {
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
    pub(crate) fn start() -> Option<Redis> {
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
            // Only lest it waits for ever: it may share its core with a build.
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            stream
        };
        Some(Redis { commands: connect(), events: connect(), process, _directory: directory })
    }

    /// The reply to one line, found by the reply to a second one.
    pub(crate) fn run(&mut self, line: &[u8]) -> Vec<u8> {
        const MARK: &[u8] = b"$10\r\n--marker--\r\n";
        let request = [&lines(line), b"\r\nECHO --marker--\r\n".as_slice()].concat();
        self.commands.write_all(&request).unwrap();
        read_until(&mut self.commands, MARK)
    }
}

fn lines(line: &[u8]) -> Vec<u8> {
    let line = std::str::from_utf8(line).unwrap();
    line.replace(" ;; ", "\r\n").into_bytes()
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

pub(crate) fn run_here(world: &mut World, peer: &mut Peer, line: &[u8]) -> Vec<u8> {
    if let Flow::Blocked { .. } = world.send(peer, &[&lines(line), b"\r\n".as_slice()].concat()) {
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
        let (theirs, ours) = (ordered(line, of_later(line, theirs)), ordered(line, ours));
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

/// What Redis 7.2 answers where 7.0 keeps small lists and sets otherwise.
pub(crate) fn of_later(line: &str, reply: Vec<u8>) -> Vec<u8> {
    let asks = line.to_ascii_uppercase().starts_with("OBJECT ENCODING");
    match reply.as_slice() {
        b"$9\r\nquicklist\r\n" | b"$9\r\nhashtable\r\n" if asks => b"$8\r\nlistpack\r\n".to_vec(),
        _ => reply,
    }
}

/// Replies whose elements have no order in Redis: sorted, with what belongs together.
const UNORDERED: [&str; 13] = [
    "HGETALL",
    "HKEYS",
    "HVALS",
    "HRANDFIELD",
    "HSCAN",
    "SMEMBERS",
    "SPOP",
    "SRANDMEMBER",
    "SINTER",
    "SUNION",
    "SDIFF",
    "SSCAN",
    "ZRANDMEMBER",
];

fn ordered(line: &str, reply: Vec<u8>) -> Vec<u8> {
    let name = line.split(' ').next().unwrap();
    // Of a scan the elements are in an array behind the cursor.
    let cursor = if name.ends_with("SCAN") { b"*2\r\n$1\r\n0\r\n".as_slice() } else { b"" };
    let Some(rest) = reply.strip_prefix(cursor).filter(|_| UNORDERED.contains(&name)) else { return reply };
    if !matches!(rest.first(), Some(b'*' | b'~' | b'%')) {
        return reply;
    }
    let head = line_length(rest);
    let mut elements = Vec::new();
    let mut at = head;
    while at < rest.len() {
        let length = value_length(&rest[at..]);
        elements.push(&rest[at..at + length]);
        at += length;
    }
    let pairs = matches!(name, "HGETALL" | "HSCAN") || line.contains(" WITH");
    let width = if pairs && rest[head..].first() != Some(&b'*') { 2 } else { 1 };
    let mut elements: Vec<Vec<u8>> = elements.chunks(width).map(|element| element.concat()).collect();
    elements.sort();
    [cursor, &rest[..head], &elements.concat()].concat()
}

fn line_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1)
}

/// How long the first value is.
fn value_length(bytes: &[u8]) -> usize {
    let head = line_length(bytes);
    let number = || str::from_utf8(&bytes[1..head - 2]).unwrap().parse::<usize>().unwrap_or(0);
    match bytes[0] {
        b'$' if bytes[1] != b'-' => head + number() + 2,
        b'*' => (0..number()).fold(head, |at, _| at + value_length(&bytes[at..])),
        _ => head,
    }
}

/// The last event.
const END: &[u8] = b"$9\r\n__key-end\r\n$1\r\nx\r\n";

/// One line per event, for a difference that can be read.
fn events(bytes: &[u8]) -> Vec<String> {
    bytes.escape_ascii().to_string().split("*4").map(str::to_owned).collect()
}

#[test]
fn a_script_of_all_families_gets_the_same_answers_as_from_redis() {
    compare(&SCRIPT.lines().map(str::to_owned).collect::<Vec<_>>());
}

#[test]
fn scripts_get_the_same_answers_as_from_redis() {
    compare(&SCRIPTS.lines().map(str::to_owned).collect::<Vec<_>>());
}

fn drawn(form: &str, draw: &mut impl FnMut(usize) -> usize) -> String {
    let words = form.split(' ').map(|word| match word {
        "KEY" => ["a", "b", "c", "l", "m"][draw(5)].to_owned(),
        "WORD" => ["x", "y", "7", "-3", "1.5", "\"\""][draw(6)].to_owned(),
        "INT" => ["0", "1", "2", "-1", "-2", "5", "100", "x"][draw(8)].to_owned(),
        "END" => ["LEFT", "RIGHT", "left"][draw(3)].to_owned(),
        "HASH" => ["h", "h", "i", "j", "other"][draw(5)].to_owned(),
        "SET" => ["s", "s", "t", "u", "other"][draw(5)].to_owned(),
        "ZSET" => ["z", "z", "y", "w", "other"][draw(5)].to_owned(),
        "LEXSET" => ["lex", "lex2"][draw(2)].to_owned(),
        "FIELD" => ["f1", "f2", "f3", "f4", "f5", "\"\""][draw(6)].to_owned(),
        "MEMBER" => ["1", "2", "3", "4", "a", "bb", "c"][draw(7)].to_owned(),
        "FLOAT" => {
            ["0", "1", "2", "3", "-1", "1.5", "-2.25", "100", "1e20", "inf", "-inf"][draw(11)].to_owned()
        }
        "BOUND" => ["-inf", "+inf", "(1", "1", "2.5", "(3", "3", "x"][draw(8)].to_owned(),
        "NAME" => ["-", "+", "[2", "(2", "[b", "(bb", "[c", "x"][draw(8)].to_owned(),
        "SORTED" => ["p", "q", "r", "v"][draw(4)].to_owned(),
        "NUMBER" => ["0", "1", "2", "10", "-3", "1.5", "7"][draw(7)].to_owned(),
        "w_NUMBER" => format!("w_{}", ["0", "1", "2", "10"][draw(4)]),
        "hash_NUMBER" => format!("hash_{}", ["0", "1", "2", "10"][draw(4)]),
        "BITS" => ["b1", "b1", "b2", "b3", "other"][draw(5)].to_owned(),
        "FLAG" => ["0", "1", "1", "2"][draw(4)].to_owned(),
        "OFFSET" => ["0", "3", "7", "8", "20", "63", "#1", "#2", "-1", "x"][draw(10)].to_owned(),
        "WIDTH" => {
            ["u8", "i8", "u1", "i1", "u63", "i64", "i5", "u13", "u64", "i65", "8"][draw(11)].to_owned()
        }
        "BY" => {
            ["1", "-1", "5", "300", "-300", "9223372036854775807", "-9223372036854775808"][draw(7)].to_owned()
        }
        "EDGE" => ["0", "1", "2", "-1", "-2", "9", "30", "-30"][draw(8)].to_owned(),
        "STREAM" => ["x", "x", "x", "y", "other"][draw(5)].to_owned(),
        "GROUP" => ["g", "g", "h"][draw(3)].to_owned(),
        "CONSUMER" => ["ann", "bob"][draw(2)].to_owned(),
        "MS" => draw(40).to_string(),
        "(MS" => format!("({}", draw(40)),
        "MS-*" => format!("{}-*", draw(40)),
        "MS-SEQ" => format!("{}-{}", draw(40), draw(2)),
        "(MS-SEQ" => format!("({}-{}", draw(40), draw(2)),
        word => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn commands_drawn_by_lot_get_the_same_answers_as_from_redis() {
    let forms: Vec<&str> = FORMS.lines().collect();
    let mut lot = 0x5eed_u64;
    let mut draw = |bound: usize| {
        lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (lot >> 33) as usize % bound
    };
    let lines = (0..5000).map(|_| drawn(forms[draw(forms.len())], &mut draw));
    compare(&lines.collect::<Vec<_>>());
}

/// Commands of some families, drawn by lot.
fn compare_drawn(forms: &str, seed: u64, first: &[&str]) {
    let forms: Vec<&str> = forms.lines().collect();
    let mut lot = seed;
    let mut draw = |bound: usize| {
        lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (lot >> 33) as usize % bound
    };
    let drawn = (0..4000).map(|_| drawn(forms[draw(forms.len())], &mut draw));
    compare(&first.iter().map(ToString::to_string).chain(drawn).collect::<Vec<_>>());
}

#[test]
fn bits_drawn_by_lot_get_the_same_answers_as_from_redis() {
    compare_drawn(BITS, 0xb175, &["LPUSH other x"]);
    compare_drawn(BITS, 0xb176, &["HELLO 3", "LPUSH other x"]);
}

#[test]
fn hashes_drawn_by_lot_get_the_same_answers_as_from_redis() {
    compare_drawn(HASHES, 0x4a54, &[]);
    compare_drawn(HASHES, 0x4a55, &["HELLO 3"]);
}

#[test]
fn sets_drawn_by_lot_get_the_same_answers_as_from_redis() {
    compare_drawn(SETS, 0x5e7, &["SADD e 1 2", "OBJECT ENCODING e", "SADD e x", "SCARD e"]);
    compare_drawn(SETS, 0x5e8, &["HELLO 3"]);
}

#[test]
fn sorted_sets_drawn_by_lot_get_the_same_answers_as_from_redis() {
    compare_drawn(SORTED_SETS, 0x25e7, &[]);
    compare_drawn(SORTED_SETS, 0x25e8, &["HELLO 3"]);
}

#[test]
fn sorts_drawn_by_lot_get_the_same_answers_as_from_redis() {
    compare_drawn(SORTS, 0x5027, &[]);
    compare_drawn(SORTS, 0x5028, &["HELLO 3"]);
}

#[test]
fn streams_drawn_by_lot_get_the_same_answers_as_from_redis() {
    compare_drawn(STREAMS, 0x57e4, &["XADD x 1-1 f v", "XINFO STREAM x", "XINFO STREAM y"]);
    compare_drawn(STREAMS, 0xa1b2, &["HELLO 3"]);
}

#[test]
fn transactions_drawn_by_lot_get_the_same_answers_as_from_redis() {
    let forms: Vec<&str> = FORMS.lines().filter(|form| !form.starts_with("SCAN")).collect();
    let mut lot = 0xfeed_u64;
    let mut draw = |bound: usize| {
        lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (lot >> 33) as usize % bound
    };
    let lines: Vec<String> = (0..800)
        .map(|_| {
            let (before, after) =
                [("", ""), ("WATCH a b ;; ", ""), ("WATCH a ;; SET a x ;; ", ""), ("", "NOSUCH x ;; ")]
                    [draw(4)];
            let commands = (0..draw(5)).map(|_| drawn(forms[draw(forms.len())], &mut draw) + " ;; ");
            let commands = commands.collect::<String>();
            let end = ["EXEC", "EXEC", "EXEC", "DISCARD", "UNWATCH ;; EXEC"][draw(5)];
            format!("{before}MULTI ;; {commands}{after}{end}")
        })
        .collect();
    compare(&lines);
}
