//! `bench scale expiry`: how long after its deadline a key's `expired` notification reaches a subscriber, of a hundred
//! thousand keys; with nobody else there, and beside 50 connections of SET and GET.
//!
//! Deadlines are set with PXAT, so that client and server mean the same moment, and stand in the name of the key.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;

use crate::latencies::Latencies;
use crate::random::Random;
use crate::rounds::duration;
use crate::server::Server;

use super::Peer;
use super::background::Background;
use super::client::Client;
use super::goal::{Row, print, row};

const KEYS: usize = 100_000;
const GOAL: f64 = 10e-3;
/// From the first key that is set to the first that is due: the keys must be set by then.
const AHEAD: Duration = Duration::from_secs(8);
/// From the last deadline until what has not come is counted as not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the deadlines lie.
#[derive(Clone, Copy)]
struct Wave {
    name: &'static str,
    over: Duration,
}

const WAVES: [Wave; 2] = [
    Wave { name: "over 5 s", over: Duration::from_secs(5) },
    Wave { name: "all at the same moment", over: Duration::ZERO },
];

struct Figures {
    late: Latencies,
    early: usize,
}

pub(super) fn run() -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for wave in WAVES {
        for busy in [false, true] {
            let who = if busy { "beside 50 connections" } else { "alone" };
            eprintln!("{}, {who}", wave.name);
            let sides = [measure(Peer::Adsum, wave, busy)?, measure(Peer::Redis, wave, busy)?];
            rows.extend(rows_of(&format!("{}, {who}", wave.name), sides));
        }
    }
    print(&format!("{KEYS} keys, lateness of `expired`"), rows);
    Ok(())
}

fn rows_of(what: &str, sides: [Figures; 2]) -> [Row; 2] {
    let met = sides[0].early == 0 && sides[0].late.len() == KEYS;
    let early = [0, 1].map(|at| format!("{}, {}", sides[at].early, KEYS - sides[at].late.len()));
    let quantiles = sides.map(|mut side| side.late.quantiles());
    let late = quantiles.map(|[p50, p99, _, longest]| [p50, p99, longest].map(duration).join(", "));
    [
        row(format!("{what}: p50, p99, longest"), late).goal("p99 < 10 ms", quantiles[0][1] < GOAL),
        row(format!("{what}: early, never"), early).goal("0, 0", met),
    ]
}

fn measure(peer: Peer, wave: Wave, busy: bool) -> anyhow::Result<Figures> {
    let server = peer.start()?;
    let mut client = Client::open(server.resp())?;
    client.ask(&["CONFIG", "SET", "notify-keyspace-events", "Ex"])?;
    let background = busy.then(|| Background::start(server.resp())).transpose()?;
    let last = set_all(&mut client, wave)?;
    let figures = listen(&server, last + PATIENCE);
    drop(background);
    figures
}

/// Sets the keys. When the last is due, since the epoch of Unix.
fn set_all(client: &mut Client, wave: Wave) -> anyhow::Result<Duration> {
    let first = unix() + AHEAD;
    let mut deadlines: Vec<u64> =
        (0..KEYS).map(|at| (first + wave.over.mul_f64(at as f64 / KEYS as f64)).as_millis() as u64).collect();
    Random::seeded(2).shuffle(&mut deadlines);
    let keys: Vec<[String; 2]> = deadlines
        .iter()
        .enumerate()
        .map(|(at, deadline)| [format!("due:{deadline}:{at}"), deadline.to_string()])
        .collect();
    client.pour(
        keys.iter().map(|[key, deadline]| [b"SET", key.as_bytes(), b"x", b"PXAT", deadline.as_bytes()]),
    )?;
    anyhow::ensure!(unix() < first, "setting the keys took longer than {AHEAD:?}");
    Ok(first + wave.over)
}

/// Takes the notifications until all have come, or until `end`. One thread takes the time, another one sorts.
fn listen(server: &Server, end: Duration) -> anyhow::Result<Figures> {
    let mut subscriber = Client::open(server.resp())?;
    subscriber.ask(&["SUBSCRIBE", "__keyevent@0__:expired"])?;
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        // Ends with the server, when the connection does.
        while let Ok(message) = subscriber.read() {
            if send.send((message, unix())).is_err() {
                return;
            }
        }
    });
    let mut figures = Figures { late: Latencies::with_room(KEYS), early: 0 };
    let begin = Instant::now();
    let patience = end.saturating_sub(unix());
    while figures.late.len() < KEYS {
        let Ok((message, at)) = receive.recv_timeout(patience.saturating_sub(begin.elapsed())) else { break };
        let key = message.items().get(2).and_then(|key| key.text()).context("a message has three parts")?;
        figures.add(deadline(key).context("a key names its deadline")?, at);
    }
    Ok(figures)
}

impl Figures {
    fn add(&mut self, deadline: Duration, at: Duration) {
        self.early += usize::from(at < deadline);
        self.late.add(at.saturating_sub(deadline));
    }
}

/// Of `due:1767225600000:17`.
fn deadline(key: &[u8]) -> Option<Duration> {
    let text = str::from_utf8(key).ok()?;
    Some(Duration::from_millis(text.split(':').nth(1)?.parse().ok()?))
}

fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_goes_before_its_deadline_counts_as_early() {
        let mut figures = Figures { late: Latencies::with_room(2), early: 0 };
        let due = deadline(b"due:2000:1").unwrap();
        figures.add(due, Duration::from_millis(1999));
        figures.add(due, Duration::from_millis(2005));
        assert_eq!((figures.early, figures.late.len()), (1, 2));
        assert_eq!(figures.late.quantiles()[3], 0.005);
    }
}
