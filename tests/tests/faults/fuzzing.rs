//! The fuzz targets without a fuzzer: the committed corpus, and mutations of it that a seed repeats, go through the same
//! functions.
//!
//! With `ADSUM_WRITE_CORPUS` set the first test makes the corpus anew, from what a real agent has written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use adsum_tests::resp::Connection;
use adsum_tests::{Agent, rounds, until};

#[path = "../../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is a library for the fuzzer, and a module here")]
mod targets;

use targets::{TARGETS, Target};

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(corpus(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Pseudo-random numbers that a seed repeats (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize % limit.max(1)
    }
}

/// Numbers and pieces that a length, a count or a tag is sooner or later wrong about.
const NASTY: [&[u8]; 20] = [
    &[0; 8],
    &[0xff; 8],
    &[0x80; 10],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0, 0, 0, 0x80],
    b"\r\n",
    b"*1000000\r\n",
    b"$-1\r\n",
    b"$536870913\r\n",
    b"-9223372036854775808",
    b"\r\n\r\n",
    b"\n\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"ffffffffffffffff\r\n",
    b"0\r\n\r\n",
    &[0xc0, 0x0c],
    &[0x3f],
    b" and not (",
    b"[\"",
];

/// One to four changes.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        let end = bytes.len().min(at + dice.below(16));
        match dice.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 if at < bytes.len() => bytes[at] = dice.below(256) as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => drop(bytes.splice(at..end, NASTY[dice.below(NASTY.len())].iter().copied())),
            5 => {
                let piece = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            _ => {
                let from = dice.below(other.len());
                let to = other.len().min(from + dice.below(64));
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
        }
    }
}

/// The corpus is read to its end, or the mutations would only ever meet the first check.
#[test]
fn the_corpus_is_whole_and_goes_through_every_target() {
    if std::env::var_os("ADSUM_WRITE_CORPUS").is_some() {
        write_corpus();
    }
    for (target, run) in TARGETS {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "no seeds for {target}");
        seeds.iter().for_each(|seed| run(seed));
    }
    let whole =
        |read: Option<adsum_journal::fuzzing::Read>| read.is_some_and(|read| read.whole && read.frames > 0);
    assert!(seeds("segment").iter().any(|seed| whole(adsum_journal::fuzzing::read_segment(seed))));
    assert!(seeds("snapshot").iter().any(|seed| whole(adsum_journal::fuzzing::read_snapshot(seed))));
    assert!(seeds("commit").iter().all(|seed| adsum_keyspace::decode_commit(seed).is_ok()));
    assert!(seeds("rows").iter().all(|seed| adsum_keyspace::decode_rows(seed).is_ok()));
}

/// Returns the mutations that a target does not survive.
fn deadly(target: &str, run: Target, count: u32) -> Vec<(u32, Vec<u8>)> {
    let seeds = seeds(target);
    let mutation = |round: u32| {
        let mut dice = Dice(u64::from(round));
        let mut bytes = seeds[dice.below(seeds.len())].clone();
        mutate(&mut bytes, &seeds[dice.below(seeds.len())], &mut dice);
        (round, bytes)
    };
    (0..count).map(mutation).filter(|(_, bytes)| std::panic::catch_unwind(|| run(bytes)).is_err()).collect()
}

#[test]
fn no_mutation_of_the_corpus_makes_a_reader_panic() {
    let count = rounds(4000, 400_000);
    for (target, run) in TARGETS {
        let found = deadly(target, run, count);
        assert!(found.is_empty(), "{target}: {} mutations, the first is {:02x?}", found.len(), found[0]);
    }
    println!("{count} mutations of each of {} targets", TARGETS.len());
}

/// The control: a reader that trusts a length is found out.
#[test]
fn mutations_find_a_reader_that_trusts_a_length() {
    let trusting = |bytes: &[u8]| {
        let line = bytes.split(|byte| *byte == b'\r').nth(1).unwrap_or_default();
        let length: usize = line
            .strip_prefix(b"\n$")
            .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
            .unwrap_or(0);
        assert!(bytes.get(..length).is_some());
    };
    assert!(!deadly("requests", trusting, 1000).is_empty());
}

/// Requests of every kind of value, and what a client may send wrongly.
const REQUESTS: [&str; 8] = [
    "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nvalue\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
    "PING\r\nSET a \"quoted \\x41 \\n\" \r\nGET 'single'\r\n\r\n",
    "*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n",
    "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n*1\r\n$4\r\nPI",
    "*1\r\n$536870913\r\n",
    "*1048577\r\n$1\r\na\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "SET \"unbalanced\r\nPING\r\n",
];

/// What HTTP/1 clients send, rightly and wrongly.
const HEADS: [&str; 9] = [
    "GET /a?b=c HTTP/1.1\r\nHost: a.example:8080\r\nAccept: */*\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n\
     DELETE http://[::1]:80/x HTTP/1.1\r\nHost: [::1]\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\u{1}\u{5}hello",
    "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\n\n",
    "GET / HTTP/1.1\nHost: a\n\n",
];

/// What instances answer, rightly and wrongly.
const ANSWERS: [&str; 12] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: 1\r\n\r\nabcHTTP/1.1 204 No Content\r\n\r\nHTTP/1.0 200\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 Fine\r\n\r\nuntil the end",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\u{1}\u{5}hello",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n0\n\n",
    "HTTP/1.1 200 OK\nX: y\n z\n\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 3\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokabc",
    "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nlate\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
];

/// Paths that are normal, that become so, and that are refused.
const PATHS: [&str; 8] = [
    "/api/v1/users/1234",
    "/a/./b/../c/%2e%2E/d",
    "/%61%2D%5f%7E/%c3%BC/a%20b",
    "//a///b/..//",
    "/../..",
    "/a;x=1/..;/b",
    "/%252e%252e/%2f%5c%00",
    "/a%2",
];

/// Rules of every matcher, nested, with and without quotes.
const RULES: [&str; 6] = [
    "Host(shop.local) && PathPrefix(/api)",
    "Host(`a`, `*.a`) || !(Method(GET, post) && Path(/))",
    "!(Host(a) && !Header(X-Beta, \"yes\") || PathPrefix(/api/) && !!Path(/api/x))",
    "((Host([::1]) || Path(`/x//y`)) && (Method(PUT) || Method(GET))) || Header(x-beta, `a, (b)`)",
    "Path(/a%2Db) || Path(/a%2fb) || PathPrefix(/x/../api)",
    "Host(a) && Host(b)",
];

fn write_corpus() {
    let mut files: BTreeMap<(&str, String), Vec<u8>> = BTreeMap::new();
    for (number, text) in REQUESTS.iter().enumerate() {
        files.insert(("requests", number.to_string()), text.as_bytes().to_vec());
    }
    for (number, text) in HEADS.iter().enumerate() {
        files.insert(("framing", number.to_string()), text.as_bytes().to_vec());
    }
    for (target, texts) in [("answers", &ANSWERS[..]), ("paths", &PATHS[..]), ("rules", &RULES[..])] {
        let named = texts
            .iter()
            .enumerate()
            .map(|(number, text)| ((target, number.to_string()), text.as_bytes().to_vec()));
        files.extend(named);
    }
    let data = written();
    for (number, entry) in std::fs::read_dir(data.path()).unwrap().enumerate() {
        let path = entry.unwrap().path();
        let target = match path.extension().and_then(|ending| ending.to_str()) {
            Some("log") => "segment",
            Some("snap") => "snapshot",
            _ => continue,
        };
        let mut content = std::fs::read(path).unwrap();
        // A little of the preallocated zeros will do.
        let end = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 40);
        content.truncate(end);
        files.insert((target, number.to_string()), content);
    }
    let options = adsum_journal::Options::new(data.path(), adsum_journal::ClusterId([0; 16]));
    let (_journal, recovered) = adsum_journal::open(options).unwrap();
    for (number, chunk) in recovered.snapshot.unwrap().enumerate().skip(1) {
        files.insert(("rows", number.to_string()), chunk.unwrap());
    }
    for record in recovered.records {
        let (revision, payload) = record.unwrap();
        files.insert(("commit", revision.to_string()), payload);
    }
    for ((target, name), content) in files {
        std::fs::create_dir_all(corpus(target)).unwrap();
        std::fs::write(corpus(target).join(name), content).unwrap();
    }
}

/// A journal with a value of every kind, in a snapshot and in records.
fn written() -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let builder = Agent::builder().env("ADSUM_SEGMENT_BYTES", "4000").env("ADSUM_SNAPSHOT_BYTES", "6000");
    let mut agent = builder.start();
    let mut connection = Connection::open(agent.resp()).unwrap();
    let commands = [
        "SET s text",
        "SET t brief PX 100000",
        "RPUSH l a b c",
        "LPOP l",
        "HSET h f v g w",
        "HDEL h f",
        "SADD m a b",
        "SREM m a",
        "ZADD z 1.5 a -2 b",
        "ZREM z a",
        "INCR n",
        "APPEND s more",
        "DEL t",
        "SETNX lock me",
        "PEXPIRE lock 90000",
        "MSET x 1 y 2",
        "SETBIT bits 7 1",
    ];
    let mut tell = |round: usize| {
        for command in commands {
            let words: Vec<String> =
                command.split(' ').map(|word| word.replace("text", &"t".repeat(round))).collect();
            connection.ask(&words.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        }
    };
    (0..30).for_each(&mut tell);
    let journal = agent.data_dir().join("journal");
    until("a snapshot is written", Duration::from_secs(20), || {
        let mut names = std::fs::read_dir(&journal).unwrap().filter_map(|entry| entry.ok());
        names.any(|entry| entry.path().extension().is_some_and(|ending| ending == "snap")).then_some(())
    });
    tell(3);
    agent.kill9();
    for entry in std::fs::read_dir(&journal).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}
