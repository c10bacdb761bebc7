//! The wall clock jumps by an hour, forth and back: locks do not notice, and what names a moment of that clock does.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use adsum_tests::lock::{Fenced, Wait};
use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, require, until};

use crate::stage::SOON;

const HOUR: i64 = 3600;
const TTL: Duration = Duration::from_secs(1);
/// Longer than a jump takes to be looked at, on any machine.
const LONG: Duration = Duration::from_secs(60);

/// Where Debian has it, for programs with threads.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let paths = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    paths.into_iter().find(|path| path.is_file()).expect("the package of faketime has its library")
}

/// An agent whose wall clock is off by what the file says; the monotonic one is the machine's.
fn agent_with_a_clock_of_its_own(offset: &PathBuf) -> Agent {
    std::fs::write(offset, "+0").unwrap();
    let settings = [
        ("LD_PRELOAD", library().to_str().unwrap()),
        ("FAKETIME_TIMESTAMP_FILE", offset.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]
    .map(|(key, value)| (key.to_string(), value.to_string()));
    let builder = Agent::builder();
    settings.iter().fold(builder, |builder, (key, value)| builder.env(key, value)).start()
}

/// Unix time in seconds, as the agent has it.
fn time(connection: &mut Connection) -> i64 {
    let Reply::List(parts) = connection.ask(&["TIME"]).unwrap() else { panic!("TIME is a list") };
    let Reply::Text(seconds) = &parts[0] else { panic!("TIME is seconds and microseconds") };
    seconds.parse().unwrap()
}

fn jump(connection: &mut Connection, offset: &PathBuf, by: i64) {
    let before = time(connection);
    std::fs::write(offset, format!("{by:+}")).unwrap();
    until("the clock of the agent has jumped", SOON, || {
        ((time(connection) - before).abs() > HOUR / 2).then_some(())
    });
}

#[test]
fn locks_do_not_notice_that_the_wall_clock_jumps() {
    if !require("faketime") {
        return;
    }
    let scratch = adsum_tests::Scratch::new();
    let offset = scratch.path().join("offset");
    let agent = agent_with_a_clock_of_its_own(&offset);
    let mut connection = Connection::open(agent.resp()).unwrap();
    for (number, by) in [HOUR, 0, -HOUR, 0].into_iter().enumerate() {
        let [brief, key] = ["brief", "lock"].map(|name| format!("{name}/{number}"));
        let fence = connection.lock(&key, "holder", LONG, Wait::Not).unwrap().unwrap();
        let asked = Instant::now();
        let soon = connection.lock(&brief, "holder", TTL, Wait::Not).unwrap().unwrap();
        // The control: a key that ends at a moment of the wall clock ends when that is skipped.
        let moment = (time(&mut connection) + HOUR / 2).to_string();
        connection.ask(&["SET", "moment", "x", "EXAT", &moment]).unwrap();
        jump(&mut connection, &offset, by);
        let there = connection.ask(&["EXISTS", "moment"]).unwrap() == Reply::Text("1".to_string());
        assert_eq!(there, by < 0 || number == 1, "jump {number}");
        assert_eq!(connection.fence(&key).unwrap(), Some(fence), "jump {number} has ended the lock");
        ends_in_time(&mut connection, &brief, soon, asked);
    }
}

/// After its TTL, and not an hour later.
fn ends_in_time(connection: &mut Connection, key: &str, fence: u64, asked: Instant) {
    let next = connection.lock(key, "next", TTL, Wait::AtMost(SOON)).unwrap().expect("it ends");
    assert!(asked.elapsed() >= TTL, "it lived for {:?} of {TTL:?}", asked.elapsed());
    assert!(next > fence);
    assert_eq!(connection.unlock(key, next).unwrap(), Fenced::Done);
}
