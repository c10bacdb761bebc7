//! Holders that are stopped for longer than their lock lives, and then go on as if nothing had been: with fences
//! nothing that they do counts, and without fences it destroys what others did.
//!
//! The holders are processes of their own (`src/bin/holder.rs`), so that all of one is stopped and nothing of another.

use std::ops::ControlFlow;
use std::process::Command;
use std::time::Duration;

use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, Running, rounds, until};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::fault::is_stopped;
use crate::sse::{self, After};
use crate::stage::SOON;

const HOLDERS: usize = 8;

/// One grant as its holder saw it.
#[derive(Debug)]
struct Held {
    fence: u64,
    asked: u64,
    granted: u64,
    let_go: u64,
    written: bool,
}

/// What all of it came to.
#[derive(Debug, Default)]
struct Outcome {
    pauses: u32,
    grants: usize,
    /// Writes that their holders were told are done.
    written: u64,
    refused: usize,
    /// What the number says in the end: less than `written` when writes were lost.
    counted: u64,
    /// Writes under a fence after one under a higher fence.
    stale_accepted: usize,
    /// Times in which two believed to hold the lock, and the longest.
    overlaps: usize,
    longest: Duration,
    /// The same, if each believes it only until its TTL has passed since it asked.
    overlaps_by_deadline: usize,
}

fn play(kind: &str, pauses: u32, ttl: Duration) -> Outcome {
    let agent = Agent::start();
    let mut connection = Connection::open(agent.resp()).unwrap();
    let holders: Vec<Running> = (0..HOLDERS).map(|number| start(&agent, number, kind, ttl)).collect();
    (0..pauses).for_each(|_| stop_the_holder(&mut connection, &holders));
    connection.ask(&["SET", "stop", "now"]).unwrap();
    let output = |holder: Running| holder.finish(SOON).ok();
    let held: Vec<Held> = holders
        .into_iter()
        .flat_map(|holder| output(holder).lines().map(parse).collect::<Vec<_>>())
        .collect();
    let fences = fences_of_writes(&agent, &mut connection);
    let mut outcome = Outcome { pauses, counted: number(&mut connection).0, ..Outcome::of(held, ttl) };
    outcome.stale_accepted = fences.windows(2).filter(|pair| pair[1] < pair[0]).count();
    outcome.print(kind, ttl);
    outcome
}

fn start(agent: &Agent, number: usize, kind: &str, ttl: Duration) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
    command.args([&agent.resp().to_string(), &number.to_string(), &ttl.as_millis().to_string(), kind]);
    Running::start(command.env("TEST_SCRATCH", agent.scratch().path()))
}

/// Stops whoever holds the lock between its reading and its writing, until another has it and has written, and lets it
/// go on.
fn stop_the_holder(connection: &mut Connection, holders: &[Running]) {
    let (holder, fence) = until("a process is stopped while it holds the lock", SOON, || {
        let Reply::Text(owner) = connection.ask(&["GET", "lock"]).unwrap() else { return None };
        let fence = connection.fence("lock").unwrap()?;
        let holder = &holders[owner.parse::<usize>().unwrap()];
        holder.signal(Signal::SIGSTOP);
        until("it is stopped", SOON, || is_stopped(i32::try_from(holder.pid()).unwrap()).then_some(()));
        let same = connection.fence("lock").unwrap() == Some(fence);
        let works = connection.ask(&["GET", "working"]).unwrap() == Reply::Text(owner);
        let in_between = same && works && number(connection).1 < fence;
        if !in_between {
            holder.signal(Signal::SIGCONT);
        }
        in_between.then_some((holder, fence))
    });
    until("another has the lock and has written", SOON, || (number(connection).1 > fence).then_some(()));
    holder.signal(Signal::SIGCONT);
}

/// The count and the fence under which it was written.
fn number(connection: &mut Connection) -> (u64, u64) {
    match connection.ask(&["GET", "number"]).unwrap() {
        Reply::Text(text) => parts(&text),
        _ => (0, 0),
    }
}

fn parts(text: &str) -> (u64, u64) {
    let mut parts = text.split(' ').map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap())
}

fn parse(line: &str) -> Held {
    let line: Value = serde_json::from_str(line).unwrap();
    let number = |name: &str| line[name].as_u64().unwrap();
    Held {
        fence: number("fence"),
        asked: number("asked"),
        granted: number("granted"),
        let_go: number("let_go"),
        written: line["written"].as_bool().unwrap(),
    }
}

/// The fences of all writes of the number, in their order, as a watch tells them.
fn fences_of_writes(agent: &Agent, connection: &mut Connection) -> Vec<u64> {
    connection.ask(&["SET", "number/end", "end"]).unwrap();
    let (mut fences, mut ended) = (Vec::new(), false);
    sse::follow(agent.http(), "number", After::Revision(0), |_, data| {
        ended = data["key"] == "number/end";
        if ended {
            return ControlFlow::Break(());
        }
        fences.push(parts(data["value"].as_str().unwrap()).1);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(ended, "the watch told of everything");
    fences
}

impl Outcome {
    fn print(&self, kind: &str, ttl: Duration) {
        let Outcome { pauses, grants, written, refused, counted, .. } = self;
        let Outcome { stale_accepted, overlaps, longest, overlaps_by_deadline, .. } = self;
        println!(
            "{kind}, TTL {ttl:?}: {pauses} pauses, {grants} grants, {written} writes of which {counted} count, \
             {refused} refused, {stale_accepted} stale ones accepted; {overlaps} overlaps of belief, the longest \
             {longest:?}, {overlaps_by_deadline} by the holders' own deadlines"
        );
    }

    fn of(mut held: Vec<Held>, ttl: Duration) -> Outcome {
        held.sort_by_key(|held| held.granted);
        let fences: Vec<u64> = held.iter().map(|held| held.fence).collect();
        let mut sorted = fences.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), fences.len(), "a fence was given out twice");
        let ttl = u64::try_from(ttl.as_nanos()).unwrap();
        let overlaps = overlaps(&held, |held| held.let_go);
        Outcome {
            grants: held.len(),
            written: held.iter().map(|held| u64::from(held.written)).sum(),
            refused: held.iter().filter(|held| !held.written).count(),
            overlaps: overlaps.len(),
            longest: Duration::from_nanos(overlaps.into_iter().max().unwrap_or(0)),
            overlaps_by_deadline: self::overlaps(&held, |held| held.let_go.min(held.asked + ttl)).len(),
            ..Outcome::default()
        }
    }
}

/// How long those overlap with the one before them that lasts longest. They are sorted by their grants.
fn overlaps(held: &[Held], until: impl Fn(&Held) -> u64) -> Vec<u64> {
    let mut latest = 0;
    let mut found = Vec::new();
    for held in held {
        let end = until(held);
        if held.granted < latest.min(end) {
            found.push(latest.min(end) - held.granted);
        }
        latest = latest.max(end);
    }
    found
}

#[test]
fn a_holder_that_was_stopped_for_longer_than_its_lock_lives_writes_nothing() {
    for round in 0..rounds(1, 10) {
        let ttl = Duration::from_millis(500 + 500 * u64::from(round % 4));
        let outcome = play("fenced", rounds(4, 25), ttl);
        assert_eq!(outcome.stale_accepted, 0, "{outcome:?}");
        assert_eq!(outcome.counted, outcome.written, "updates were lost: {outcome:?}");
        // A pause may also come between the write and the release.
        assert!(outcome.refused > 0, "no fence was ever refused: {outcome:?}");
        assert!(outcome.overlaps > 0, "no pause made a holder believe too long: {outcome:?}");
        assert_eq!(
            outcome.overlaps_by_deadline, 0,
            "a lock ended before its holder's own deadline: {outcome:?}"
        );
    }
}

/// The control: the same pauses, and the same writes without their fence.
#[test]
fn without_fences_the_same_pauses_lose_updates() {
    let outcome = play("naive", rounds(4, 25), Duration::from_millis(500));
    assert!(outcome.stale_accepted > 0, "{outcome:?}");
    assert!(outcome.counted < outcome.written, "{outcome:?}");
}
