//! When locks end: not before their time by more than the clock's resolution, counted from before they were asked for,
//! and how long after it.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use adsum_history::sample::Chance;
use adsum_tests::lock::Wait;
use adsum_tests::resp::Connection;
use adsum_tests::{Agent, rounds};

use crate::sse::{self, After};

/// Locks that are asked for at once.
const BATCH: usize = 20;
/// How many end per second, about: so many that some always end together, and not more than the watcher can read.
const PER_SECOND: u64 = 5_000;
/// Clients that write other keys all the time.
const WRITERS: usize = 4;

/// When each lock may end at the earliest.
fn hold(agent: &Agent, locks: usize) -> Vec<Instant> {
    let mut connection = Connection::open(agent.resp()).unwrap();
    let mut chance = Chance(1);
    let mut due = Vec::with_capacity(locks);
    let spread = locks as u64 * 1_000 / PER_SECOND;
    while due.len() < locks {
        let asked = Instant::now();
        let begin = due.len();
        for number in begin..locks.min(begin + BATCH) {
            let ttl = Duration::from_millis(1_000 + chance.below(spread));
            connection.send_lock(&format!("lock/{number}"), "holder", ttl, Wait::Not).unwrap();
            due.push(asked + ttl);
        }
        (begin..due.len()).for_each(|_| assert!(connection.granted().unwrap().is_some()));
    }
    due
}

/// When each lock ended, as a watch tells it.
fn watch(agent: &Agent, locks: usize) -> Vec<Instant> {
    let mut ended: HashMap<usize, Instant> = HashMap::new();
    let told = sse::follow(agent.http(), "lock/", After::Revision(0), |_, data| {
        if data["event"] == "expired" {
            let key = data["key"].as_str().unwrap();
            let number = key.strip_prefix("lock/").unwrap().parse().unwrap();
            assert!(ended.insert(number, Instant::now()).is_none(), "{key} expired twice");
        }
        if ended.len() == locks { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    told.unwrap_or_else(|error| panic!("{} of {locks} locks expired, then: {error}", ended.len()));
    (0..locks).map(|number| ended[&number]).collect()
}

/// How far from their time locks ended.
struct Ended {
    /// Sorted.
    late: Vec<Duration>,
    early: Vec<Duration>,
}

fn expire(agent: &Agent, locks: usize) -> Ended {
    let (due, ended) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(agent, locks));
        (hold(agent, locks), watching.join().unwrap())
    });
    let both = || due.iter().zip(&ended);
    let early = both().filter_map(|(due, ended)| due.checked_duration_since(*ended));
    let early = early.filter(|early| !early.is_zero()).collect();
    let mut late: Vec<Duration> = both().map(|(due, ended)| ended.saturating_duration_since(*due)).collect();
    late.sort_unstable();
    Ended { late, early }
}

impl Ended {
    fn report(&self, what: &str) {
        let Ended { late, early } = self;
        let at = |percent: usize| late[(late.len() - 1) * percent / 100];
        let (half, most, last) = (at(50), at(99), at(100));
        let (count, earliest) = (early.len(), early.iter().max().copied().unwrap_or_default());
        println!(
            "{what}: {} locks, late p50 {half:?}, p99 {most:?}, max {last:?}; {count} early, by up to {earliest:?}",
            late.len()
        );
        assert!(early.is_empty(), "a lock ended {earliest:?} before its time");
    }
}

fn locks() -> usize {
    rounds(10_000, 100_000) as usize
}

#[test]
fn no_lock_ends_early_on_an_idle_agent() {
    let agent = Agent::start();
    expire(&agent, locks()).report("idle");
}

#[test]
fn no_lock_ends_early_under_load() {
    let agent = Agent::start();
    let (over, writes, begin) = (AtomicBool::new(false), AtomicU64::new(0), Instant::now());
    let ended = std::thread::scope(|scope| {
        for number in 0..WRITERS {
            let (agent, over, writes) = (&agent, &over, &writes);
            scope.spawn(move || write(agent, number, over, writes));
        }
        let _end = End(&over);
        expire(&agent, locks())
    });
    let rate = writes.load(Ordering::Relaxed) / begin.elapsed().as_secs().max(1);
    ended.report(&format!("with {WRITERS} clients writing, {rate} writes per second"));
    assert!(rate >= 50, "{rate} writes per second are no load");
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn write(agent: &Agent, number: usize, over: &AtomicBool, writes: &AtomicU64) {
    let mut connection = Connection::open(agent.resp()).unwrap();
    while !over.load(Ordering::Relaxed) {
        connection.ask(&["SET", &format!("load/{number}"), "x"]).unwrap();
        writes.fetch_add(1, Ordering::Relaxed);
    }
}
