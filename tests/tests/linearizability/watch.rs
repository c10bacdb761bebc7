//! What a watch tells, applied to an empty map, gives the final state: over kills of the agent, and over breaks of the
//! connection by the watcher, who goes on after the `Last-Event-ID`. In order, nothing twice, nothing missing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use adsum_history::sample::Chance;
use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, rounds, until};
use serde_json::Value;

use crate::fault::{Clients, Fault};
use crate::sse::{self, After};
use crate::stage::{SOON, Stage};

const PREFIX: &str = "watched/";
const END: &str = "watched/end";
const WRITERS: usize = 6;
const KEYS: u64 = 20;
/// More events than there are.
const NEVER: u64 = u64::MAX / 2;

/// What the writers were told.
#[derive(Default)]
struct Written {
    attempted: AtomicU64,
    /// Values are written once.
    acknowledged: Mutex<BTreeSet<String>>,
}

impl Written {
    fn once(&self, connection: &mut Connection, chance: &mut Chance) -> std::io::Result<()> {
        let key = format!("{PREFIX}{}", chance.below(KEYS));
        let value = format!("v{}", self.attempted.fetch_add(1, Ordering::Relaxed));
        match chance.below(10) {
            0 => connection.ask(&["DEL", &key])?,
            1 => connection.ask(&["SET", &key, &value, "PX", "20"])?,
            // Nobody who watches this prefix is to hear of it.
            2 => connection.ask(&["SET", "unwatched", &value])?,
            _ => {
                let reply = connection.ask(&["SET", &key, &value])?;
                self.acknowledged.lock().unwrap().insert(value);
                reply
            }
        };
        Ok(())
    }
}

/// The state as the events tell it.
#[derive(Default)]
struct Replay {
    state: BTreeMap<String, String>,
    /// The last id, as text and as numbers.
    last: Option<(String, (u64, u64))>,
    values: BTreeSet<String>,
    events: u64,
    connections: Connections,
}

/// Over how many connections a watcher was told anything.
#[derive(Clone, Default)]
struct Connections(Arc<AtomicU64>);

impl Connections {
    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}

/// The watchers' connections, and how many each had when the agent was killed last.
struct Cut {
    connections: Vec<Connections>,
    before: Vec<u64>,
}

impl Cut {
    fn new(replays: &[Replay]) -> Cut {
        let connections: Vec<Connections> = replays.iter().map(|replay| replay.connections.clone()).collect();
        Cut { before: vec![0; connections.len()], connections }
    }

    /// Waits until every watcher was told something since the last kill, so that the next one cuts its stream.
    fn until_all_are_told(&mut self) {
        let Cut { connections, before } = self;
        until("every watcher is told something", SOON, || {
            let told = connections.iter().zip(&*before).all(|(now, before)| now.count() > *before);
            told.then_some(())
        });
        *before = connections.iter().map(Connections::count).collect();
    }
}

impl Replay {
    /// Until the end is told. Breaks off after every so many events, by itself.
    fn follow(&mut self, address: SocketAddr, patience: u64, failed: &AtomicBool) {
        while !self.state.contains_key(END) && !failed.load(Ordering::Relaxed) {
            // The agent may be down, or go down in the middle: both are a reason to come again.
            let _ = self.connection(address, patience);
        }
    }

    fn connection(&mut self, address: SocketAddr, patience: u64) -> std::io::Result<()> {
        let mut told = false;
        let (until, last) = (self.events + patience, self.last.as_ref().map(|(id, _)| id.clone()));
        let after = last.as_deref().map_or(After::Revision(0), After::Event);
        sse::follow(address, PREFIX, after, |id, data| {
            self.connections.add(u64::from(!std::mem::replace(&mut told, true)));
            self.apply(id.to_string(), data);
            let enough = self.events >= until || self.state.contains_key(END);
            if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    }

    fn apply(&mut self, id: String, data: &Value) {
        let (revision, number) = id.split_once('-').unwrap();
        let place = (revision.parse().unwrap(), number.parse().unwrap());
        if let Some((before, last)) = &self.last {
            assert!(place > *last, "{id} came after {before}");
        }
        assert_eq!(data["revision"].as_u64(), Some(place.0));
        self.last = Some((id, place));
        self.events += 1;
        let key = data["key"].as_str().unwrap().to_string();
        assert!(key.starts_with(PREFIX), "{key} is not watched");
        match data["value"].as_str() {
            Some(value) => {
                assert!(self.values.insert(value.to_string()), "{value} was told twice");
                self.state.insert(key, value.to_string());
            }
            None => drop(self.state.remove(&key)),
        }
    }
}

/// Lets the watchers end when the test has failed: the end that they wait for would never come.
struct Tell<'a>(&'a AtomicBool);

impl Drop for Tell<'_> {
    fn drop(&mut self) {
        self.0.store(std::thread::panicking(), Ordering::Relaxed);
    }
}

#[test]
fn what_a_watch_tells_gives_the_final_state_over_kills_and_reconnects() {
    let mut agent = Agent::start();
    let (written, address) = (Written::default(), agent.http());
    let rounds = rounds(4, 100);
    let mut replays = [Replay::default(), Replay::default()];
    let mut cut = Cut::new(&replays);
    let [steady, fickle] = &mut replays;
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| steady.follow(address, NEVER, &failed));
        scope.spawn(|| fickle.follow(address, 17, &failed));
        let _tell = Tell(&failed);
        (0..rounds).for_each(|round| round_of_writes(&mut agent, &written, &mut cut, round));
        finish(&agent);
    });
    let state = state_of(&agent);
    for replay in &replays {
        assert_eq!(replay.state, state);
        let acknowledged = written.acknowledged.lock().unwrap();
        let missing: Vec<&String> = acknowledged.difference(&replay.values).collect();
        assert!(missing.is_empty(), "acknowledged, and never told: {missing:?}");
        let connections = replay.connections.count();
        println!("{rounds} kills: {} events over {connections} connections", replay.events);
        // Each kill has cut the stream.
        assert!(connections > u64::from(rounds), "{connections} connections");
    }
}

fn round_of_writes(agent: &mut Agent, written: &Written, cut: &mut Cut, round: u32) {
    let stage = Stage::new(agent);
    let client = |number: usize| -> Box<dyn FnOnce() + Send + '_> {
        let stage = &stage;
        let mut chance = Chance(u64::from(round) << 32 | number as u64);
        Box::new(move || stage.repeat(|connection| written.once(connection, &mut chance)))
    };
    let clients = (0..WRITERS).map(client).collect();
    stage.run(clients, || {
        stage.work(200);
        cut.until_all_are_told();
        let clients = Clients { all: WRITERS, impatient: 0 };
        Fault::Kill.strike(agent, &stage, clients, |_| 0);
        stage.work(200);
    });
}

/// When everything has expired that will, the end is written.
fn finish(agent: &Agent) {
    let mut connection = Connection::open(agent.resp()).unwrap();
    until("everything brief has expired", SOON, || {
        let brief = |number| {
            let key = format!("{PREFIX}{number}");
            let Reply::Text(rest) = connection.ask(&["PTTL", &key]).unwrap() else {
                panic!("PTTL is a number")
            };
            rest.parse::<i64>().unwrap() >= 0
        };
        (!(0..KEYS).any(brief)).then_some(())
    });
    connection.ask(&["SET", END, "end"]).unwrap();
}

fn state_of(agent: &Agent) -> BTreeMap<String, String> {
    let mut connection = Connection::open(agent.resp()).unwrap();
    let Reply::List(keys) = connection.ask(&["KEYS", &format!("{PREFIX}*")]).unwrap() else {
        panic!("KEYS is a list")
    };
    let text = |reply: Reply| match reply {
        Reply::Text(text) => text,
        other => panic!("{other:?}"),
    };
    let keys = keys.into_iter().map(text);
    keys.map(|key| {
        let value = text(connection.ask(&["GET", &key]).unwrap());
        (key, value)
    })
    .collect()
}
