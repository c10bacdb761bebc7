//! Snapshots in files: saved under load, looked into, restored elsewhere.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, Scratch, until};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

fn ask(connection: &mut Connection, words: &[&str]) -> Reply {
    connection.ask(words).unwrap()
}

fn text(reply: Reply) -> String {
    match reply {
        Reply::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

/// Raises two counters together, again and again.
fn count(agent: &Agent, done: &AtomicBool, counted: &AtomicU64) {
    let mut connection = Connection::open(agent.resp()).unwrap();
    while !done.load(Ordering::Acquire) {
        for words in [&["MULTI"][..], &["INCR", "/left"], &["INCR", "/right"], &["EXEC"]] {
            ask(&mut connection, words);
        }
        counted.fetch_add(1, Ordering::Release);
    }
}

fn inspect(agent: &Agent, file: &str) -> Value {
    let json = agent.adsum(&["snapshot", "inspect", file, "--format", "json"]).ok();
    serde_json::from_str(&json).unwrap()
}

#[test]
fn a_snapshot_that_was_saved_under_load_is_restored_elsewhere_as_of_one_revision() {
    let agent = Agent::start();
    let mut connection = Connection::open(agent.resp()).unwrap();
    for number in 0..500 {
        ask(&mut connection, &["SET", &format!("/k/{number}"), &"v".repeat(100)]);
    }
    ask(&mut connection, &["RPUSH", "/list", "a", "b"]);
    ask(&mut connection, &["SELECT", "3"]);
    ask(&mut connection, &["SET", "other", "x"]);
    ask(&mut connection, &["SELECT", "0"]);
    let fence: u64 = text(ask(&mut connection, &["LOCK", "/lock", "me", "PX", "600000"])).parse().unwrap();
    let file = agent.scratch().file("backup.snap");
    let (done, counted) = (AtomicBool::new(false), AtomicU64::new(0));
    let before = std::thread::scope(|scope| {
        let writing = scope.spawn(|| count(&agent, &done, &counted));
        until("there is load", SOON, || (counted.load(Ordering::Acquire) > 50).then_some(()));
        let before = counted.load(Ordering::Acquire);
        let said = agent.adsum(&["snapshot", "save", &file]).ok();
        assert!(said.starts_with("saved revision "), "{said}");
        let after = counted.load(Ordering::Acquire);
        assert!(after > before, "nothing was written meanwhile");
        done.store(true, Ordering::Release);
        writing.join().unwrap();
        before
    });
    let contents = inspect(&agent, &file);
    assert_eq!((&contents["keys"]["0"]["list"], &contents["keys"]["3"]["string"]), (&1.into(), &1.into()));
    assert_eq!(contents["keys"]["0"]["string"], 503);
    let revision = contents["revision"].as_u64().unwrap();
    assert!(revision > fence);

    let scratch = Scratch::new();
    let dir = scratch.path().join("restored");
    let data_dir = dir.to_str().unwrap();
    agent.adsum(&["snapshot", "restore", &file, "--data-dir", data_dir]).ok();
    let error = agent.adsum(&["snapshot", "restore", &file, "--data-dir", data_dir]).fails(1);
    assert!(error.contains("already holds a journal"), "{error}");
    let restored = Agent::builder().data_dir(&dir).start();
    let mut connection = Connection::open(restored.resp()).unwrap();
    for number in 0..500 {
        assert_eq!(text(ask(&mut connection, &["GET", &format!("/k/{number}")])).len(), 100);
    }
    let left: u64 = text(ask(&mut connection, &["GET", "/left"])).parse().unwrap();
    let right: u64 = text(ask(&mut connection, &["GET", "/right"])).parse().unwrap();
    assert_eq!(left, right, "it is not of one revision");
    assert!(left >= before, "{left} of {before}");
    // The holder holds it still; whoever comes next is above everything that was ever seen.
    assert_eq!(text(ask(&mut connection, &["FENCE", "/lock"])), fence.to_string());
    ask(&mut connection, &["UNLOCK", "/lock", &fence.to_string()]);
    let next: u64 = text(ask(&mut connection, &["LOCK", "/lock", "you", "PX", "600000"])).parse().unwrap();
    assert!(next > revision + 1_000_000_000, "{next}");
    for from in [1, fence, revision, revision + 10] {
        let error = restored.adsum(&["kv", "watch", "/", "--from", &from.to_string()]).fails(1);
        assert!(error.contains("no longer kept"), "{from}: {error}");
    }
}

#[test]
fn a_snapshot_is_saved_from_the_data_of_an_agent_that_has_ended() {
    let mut agent = Agent::start();
    agent.adsum(&["kv", "put", "/a", "1"]).ok();
    let file = agent.scratch().file("backup.snap");
    let dir = agent.data_dir().to_str().unwrap().to_string();
    let error = agent.adsum(&["snapshot", "save", &file, "--data-dir", &dir]).fails(1);
    assert!(error.contains("in use by process"), "{error}");
    agent.kill9();
    agent.adsum(&["snapshot", "save", &file, "--data-dir", &dir]).ok();
    assert_eq!(inspect(&agent, &file)["keys"]["0"]["string"], 1);
    let above = agent.scratch().file("above");
    let restore = ["snapshot", "restore", &file, "--data-dir", &above, "--above", "7000000000"];
    assert!(agent.adsum(&restore).ok().contains("at revision 8000000000"));
    let error = agent.adsum(&["snapshot", "save", &file, "--data-dir", "/nowhere"]).fails(1);
    assert!(error.contains("no data of an agent in /nowhere"), "{error}");
}

#[test]
fn a_snapshot_that_is_not_as_it_was_written_is_refused_by_name_and_place() {
    let agent = Agent::start();
    agent.adsum(&["kv", "put", "/a", &"x".repeat(5000)]).ok();
    let file = agent.scratch().file("backup.snap");
    agent.adsum(&["snapshot", "save", &file]).ok();
    let whole = std::fs::read(&file).unwrap();
    let bad = agent.scratch().file("bad.snap");
    let mut flipped = whole.clone();
    let middle = whole.len() / 2;
    flipped[middle] ^= 1;
    let cut = whole[..whole.len() - 10].to_vec();
    let more = [&whole[..], b"more"].concat();
    for (what, bytes) in [("flipped", flipped), ("cut", cut), ("more", more), ("empty", vec![])] {
        std::fs::write(&bad, bytes).unwrap();
        let target = agent.scratch().file("target");
        for words in
            [&["snapshot", "inspect", &bad][..], &["snapshot", "restore", &bad, "--data-dir", &target]]
        {
            let error = agent.adsum(words).fails(1);
            assert!(error.contains("bad.snap") && error.contains("byte"), "{what}: {error}");
        }
        assert!(!Path::new(&target).join("journal").exists(), "{what} was restored in part");
    }
    let error = agent.adsum(&["snapshot", "inspect", "/nowhere.snap"]).fails(1);
    assert!(error.contains("/nowhere.snap"), "{error}");
}

/// An agent that breaks off leaves the old file as it was, and nothing beside it.
#[test]
fn a_snapshot_that_breaks_off_never_gets_its_name() {
    let agent = Agent::start();
    let dir = agent.scratch().path().join("backups");
    std::fs::create_dir(&dir).unwrap();
    let file = dir.join("backup.snap");
    std::fs::write(&file, "the one before").unwrap();
    let broken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = broken.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for length in ["1000", "4"] {
            let (mut stream, _) = broken.accept().unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhalf").unwrap();
        }
    });
    let path = file.to_str().unwrap();
    let error = agent.adsum(&["--addr", &address, "snapshot", "save", path]).fails(1);
    assert!(error.contains("broke the answer off"), "{error}");
    // All that was announced has come, and is no snapshot.
    let error = agent.adsum(&["--addr", &address, "snapshot", "save", path]).fails(1);
    assert!(error.contains("byte"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "the one before");
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
    agent.adsum(&["snapshot", "save", path]).ok();
    assert!(inspect(&agent, path)["revision"].as_u64().unwrap() > 0);
    // What the agent wrote for it is gone again.
    let left = std::fs::read_dir(agent.data_dir().join("journal")).unwrap();
    let left: Vec<String> = left.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| !name.contains("export")), "{left:?}");
}
