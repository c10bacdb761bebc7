//! What was acknowledged is there after a kill -9, whenever it comes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, rounds, until};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);
const CLIENTS: usize = 8;

/// A client that writes until its connection breaks off, and what it was told.
struct Writer {
    name: usize,
    connection: Connection,
    /// By key, of the writes that were acknowledged.
    values: BTreeMap<String, String>,
    /// How often the counter was raised.
    count: u64,
}

impl Writer {
    fn new(agent: &Agent, name: usize) -> Writer {
        let connection = Connection::open(agent.resp()).expect("the agent listens");
        Writer { name, connection, values: BTreeMap::new(), count: 0 }
    }

    /// Writes new keys, writes old ones anew, and counts.
    fn write(&mut self, round: u32, acknowledged: &AtomicUsize) {
        for number in 0.. {
            let key = format!("/w/{}/{}", self.name, number % 50);
            let value = format!("{round}-{number}");
            let Ok(reply) = self.connection.ask(&["SET", &key, &value]) else { return };
            assert_eq!(reply, Reply::Text("OK".to_string()));
            self.values.insert(key, value);
            let Ok(reply) = self.connection.ask(&["INCR", &self.counter()]) else { return };
            self.count += 1;
            assert_eq!(reply, Reply::Text(self.count.to_string()));
            acknowledged.fetch_add(2, Ordering::Relaxed);
        }
    }

    fn counter(&self) -> String {
        format!("/count/{}", self.name)
    }

    /// Looks after the crash; a write that was under way may or may not be there.
    #[track_caller]
    fn check(&mut self, agent: &Agent) {
        self.connection = Connection::open(agent.resp()).expect("the agent listens");
        let count = self.number(&self.counter());
        assert!((self.count..=self.count + 1).contains(&count), "counted {}, is {count}", self.count);
        let mut under_way = count - self.count;
        self.count = count;
        for (key, value) in self.values.clone() {
            let found = self.text(&key);
            let late = found != value;
            assert!(!late || newer(&found, &value), "{key} was {value}, is {found}");
            under_way += u64::from(late);
            self.values.insert(key, found);
        }
        assert!(under_way <= 1, "client {} had one request under way", self.name);
    }

    fn text(&mut self, key: &str) -> String {
        match self.connection.ask(&["GET", key]).expect("the agent answers") {
            Reply::Text(text) => text,
            other => panic!("{key} is {other:?}"),
        }
    }

    fn number(&mut self, key: &str) -> u64 {
        self.text(key).parse().expect("it is a number")
    }
}

/// Of two values `ROUND-NUMBER`.
fn newer(one: &str, other: &str) -> bool {
    let parts = |text: &str| -> Vec<u64> { text.split('-').map(|part| part.parse().unwrap()).collect() };
    parts(one) > parts(other)
}

/// Lets all write, and kills the agent in the middle.
fn kill_under_load(agent: &mut Agent, writers: &mut [Writer], round: u32) {
    let acknowledged = AtomicUsize::new(0);
    // Not always at the same moment.
    let enough = 100 + (round as usize * 37) % 400;
    std::thread::scope(|scope| {
        for writer in writers {
            let acknowledged = &acknowledged;
            scope.spawn(move || writer.write(round, acknowledged));
        }
        until("enough is written", SOON, || (acknowledged.load(Ordering::Relaxed) >= enough).then_some(()));
        agent.kill9();
    });
    // They write without end, so that all have ended is the proof that the kill came in the middle.
}

fn revision(agent: &Agent, key: &str) -> u64 {
    let entry: Value = serde_json::from_str(&agent.get(&format!("/v1/kv/{key}")).ok()).unwrap();
    entry[0]["ModifyIndex"].as_u64().expect("it has a revision")
}

#[test]
fn every_acknowledged_write_is_there_after_a_kill() {
    let mut agent = Agent::start();
    let mut writers: Vec<Writer> = (0..CLIENTS).map(|name| Writer::new(&agent, name)).collect();
    for round in 0..rounds(5, 200) {
        kill_under_load(&mut agent, &mut writers, round);
        agent.restart();
        writers.iter_mut().for_each(|writer| writer.check(&agent));
    }
}

#[test]
fn revisions_never_go_back() {
    let mut agent = Agent::start();
    let mut writers: Vec<Writer> = (0..CLIENTS).map(|name| Writer::new(&agent, name)).collect();
    let mut last = 0;
    for round in 0..rounds(5, 200) {
        kill_under_load(&mut agent, &mut writers, round);
        agent.restart();
        let newest = (0..CLIENTS).map(|name| revision(&agent, &format!("%2Fcount%2F{name}"))).max();
        assert!(newest.unwrap() > last, "{newest:?} after {last}");
        agent.adsum(&["kv", "put", "last", "x"]).ok();
        last = revision(&agent, "last");
        assert!(last > newest.unwrap(), "{last} after {newest:?}");
        writers.iter_mut().for_each(|writer| writer.check(&agent));
    }
}

/// The time in which nobody could say that he lives does not count against him.
#[test]
fn a_crash_makes_no_key_end_early_and_lets_every_key_end() {
    let mut agent = Agent::start();
    let lasting = Duration::from_secs(120);
    let ask = |agent: &Agent, command: &[&str]| {
        Connection::open(agent.resp()).unwrap().ask(command).expect("the agent answers")
    };
    ask(&agent, &["SET", "/lasting", "x", "PX", &lasting.as_millis().to_string()]);
    let begin = Instant::now();
    for _ in 0..rounds(3, 50) {
        ask(&agent, &["SET", "/brief", "x", "PX", "1500"]);
        let set = Instant::now();
        agent.kill9();
        agent.restart();
        until("the brief one has ended", SOON, || {
            let there = ask(&agent, &["EXISTS", "/brief"]) == Reply::Text("1".to_string());
            assert!(there || set.elapsed() >= Duration::from_millis(1500), "ended early");
            (!there).then_some(())
        });
        let Reply::Text(rest) = ask(&agent, &["PTTL", "/lasting"]) else { panic!("PTTL is a number") };
        let rest = Duration::from_millis(rest.parse().expect("the lasting one is there"));
        assert!(rest + begin.elapsed() >= lasting, "{rest:?} left after {:?}", begin.elapsed());
        assert!(rest <= lasting);
        ask(&agent, &["SET", "/lasting", "x", "XX", "KEEPTTL"]);
    }
}

/// Nothing that a client of the one could have seen is missing for a client of the next.
#[test]
fn nobody_sees_what_a_kill_can_take_back() {
    let mut agent = Agent::start();
    for round in 0..rounds(5, 200) {
        let key = format!("/seen/{round}");
        let (address, seen) = (agent.resp(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut writer = Connection::open(address).unwrap();
                while writer.ask(&["INCR", &key]).is_ok() {}
            });
            scope.spawn(|| {
                let mut reader = Connection::open(address).unwrap();
                while let Ok(reply) = reader.ask(&["GET", &key]) {
                    if let Reply::Text(text) = reply {
                        seen.store(text.parse().unwrap(), Ordering::Relaxed);
                    }
                }
            });
            until("some is seen", SOON, || (seen.load(Ordering::Relaxed) >= 50).then_some(()));
            agent.kill9();
        });
        agent.restart();
        let mut after = Connection::open(address).unwrap();
        let Reply::Text(text) = after.ask(&["GET", &key]).unwrap() else { panic!("{key} is gone") };
        let (seen, found) = (seen.into_inner(), text.parse::<usize>().unwrap());
        assert!(found >= seen, "somebody saw {seen}, and now it is {found}");
    }
}

/// An agent that ends in order brings everything to disk, with the weaker promise too.
#[test]
fn nothing_is_lost_when_the_agent_ends_in_order() {
    let mut agent = Agent::builder().durability("everysec").start();
    let mut connection = Connection::open(agent.resp()).unwrap();
    for number in 0..1000 {
        connection.ask(&["SET", &format!("/n/{number}"), "x"]).unwrap();
    }
    assert!(agent.terminate().success());
    agent.restart();
    let mut connection = Connection::open(agent.resp()).unwrap();
    assert_eq!(connection.ask(&["DBSIZE"]).unwrap(), Reply::Text("1000".to_string()));
}
