//! `bench scale stalls`: what a client that GETs notices while somebody else does something long to a million keys.

pub(super) mod snapshot;

use std::time::{Duration, Instant};

use crate::latencies::Latencies;
use crate::rounds::{Rounds, duration};
use crate::server::Server;

use super::client::Client;
use super::goal::{Row, print, row};
use super::keys::{Order, fill};
use super::sampler::{beside, rest, room};
use super::{KEYS, Peer};

/// Each on new connections, so that both share a thread of the server in some, and in some do not.
const ROUNDS: usize = 6;
/// Of those for which all keys have to be set again.
const FLUSHES: usize = 2;
const GOAL: f64 = 10e-3;
const FEW_KEYS: usize = 1_000;
const MATCHES: usize = 100;
const ELEMENTS: usize = 1_000_000;
/// Of the elements, how many are pushed at a time.
const BATCH: usize = 100;
/// How long something short is repeated.
const REPEAT: Duration = Duration::from_millis(500);

/// What was seen of one side, in the order of the table.
struct Side {
    rows: Vec<Seen>,
}

struct Seen {
    what: &'static str,
    /// Seconds that the work took.
    took: Rounds,
    /// Seconds at p50, p99, p99.9 and the longest.
    latencies: [f64; 4],
    has_goal: bool,
}

pub(super) fn run() -> anyhow::Result<()> {
    let sides = [Side::measure(Peer::Adsum)?, Side::measure(Peer::Redis)?];
    let [adsum, redis] = &sides;
    let mut rows = Vec::new();
    for (own, peer) in adsum.rows.iter().zip(&redis.rows) {
        rows.extend(rows_of(own, peer));
    }
    print(&format!("{KEYS} keys, {ROUNDS} rounds"), rows);
    Ok(())
}

fn rows_of(own: &Seen, peer: &Seen) -> Vec<Row> {
    let both = [own, peer];
    let mut rows = Vec::new();
    if own.latencies[3].is_finite() {
        let seen = row(format!("GET beside {}: p50, p99, longest", own.what), both.map(Seen::quantiles));
        rows.push(match own.has_goal {
            true => seen.goal("< 10 ms", own.latencies[3] < GOAL),
            false => seen,
        });
    }
    if own.took.largest().is_finite() {
        rows.push(row(format!("{} itself, best (worst)", own.what), both.map(Seen::took)));
    }
    rows
}

impl Seen {
    fn quantiles(&self) -> String {
        let [p50, p99, _, longest] = self.latencies;
        [p50, p99, longest].map(duration).join(", ")
    }

    fn took(&self) -> String {
        self.took.best_is_least(duration)
    }
}

impl Side {
    fn measure(peer: Peer) -> anyhow::Result<Side> {
        let server = peer.start()?;
        let mut client = Client::open(server.resp())?;
        let mut side = Side { rows: Vec::new() };
        let matching: Vec<String> = (0..MATCHES).map(|number| format!("match:{number}")).collect();
        client.pour(matching.iter().map(|key| [b"SET".as_slice(), key.as_bytes(), b"x"]))?;
        fill(&mut client, FEW_KEYS - MATCHES, Order::Random)?;
        side.time_of_prefix("KEYS match:* in 1,000 keys", &mut client)?;
        fill(&mut client, KEYS - MATCHES, Order::Random)?;
        side.time_of_prefix("KEYS match:* in 1,000,000 keys", &mut client)?;
        side.watch(&server, "nothing", false, || rest(REPEAT))?;
        side.watch(&server, "KEYS *", true, || skim(&server, &["KEYS", "*"], KEYS))?;
        side.watch(&server, "KEYS match:*", false, || keys_by_prefix(&server))?;
        side.watch(&server, "SCAN of everything", false, || scan(&server))?;
        side.snapshot(&server, peer)?;
        side.list(&server, &mut client)?;
        side.flush(&server, &mut client)?;
        Ok(side)
    }

    /// Runs it several times beside a client that GETs.
    fn watch(
        &mut self,
        server: &Server,
        what: &'static str,
        has_goal: bool,
        work: impl Fn() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        eprintln!("{what}");
        let (mut took, mut latencies) = (Rounds::default(), room());
        for _ in 0..ROUNDS {
            took.add(beside(server.resp(), &mut latencies, &work)?.1.as_secs_f64());
        }
        self.add(what, took, latencies, has_goal);
        Ok(())
    }

    fn add(&mut self, what: &'static str, took: Rounds, mut latencies: Latencies, has_goal: bool) {
        self.rows.push(Seen { what, took, latencies: latencies.quantiles(), has_goal });
    }

    fn time_of_prefix(&mut self, what: &'static str, client: &mut Client) -> anyhow::Result<()> {
        let mut took = Rounds::default();
        for _ in 0..50 {
            let begin = Instant::now();
            anyhow::ensure!(client.skim(&["KEYS", "match:*"])? == MATCHES, "{what}: not all were found");
            took.add(begin.elapsed().as_secs_f64());
        }
        self.rows.push(Seen { what, took, latencies: [f64::NAN; 4], has_goal: false });
        Ok(())
    }

    /// What makes an agent write one is not what is to be seen, so the client looks from the beginning of the
    /// writing to its end.
    fn snapshot(&mut self, server: &Server, peer: Peer) -> anyhow::Result<()> {
        let (mut took, mut latencies) = (Rounds::default(), room());
        let running = snapshot::begin(server, peer)?;
        took.add(beside(server.resp(), &mut latencies, || running.finish(server))?.0.as_secs_f64());
        self.add("a snapshot", took, latencies, true);
        Ok(())
    }

    fn list(&mut self, server: &Server, client: &mut Client) -> anyhow::Result<()> {
        // RPUSH list and so many elements.
        let mut push: [&[u8]; 2 + BATCH] = [b"0123456789abcdef"; 2 + BATCH];
        push[..2].copy_from_slice(&[b"RPUSH", b"list"]);
        client.pour((0..ELEMENTS / BATCH).map(|_| push))?;
        self.watch(server, "LRANGE of 1,000,000 elements", false, || {
            skim(server, &["LRANGE", "list", "0", "-1"], ELEMENTS)
        })?;
        client.ask(&["DEL", "list"])?;
        Ok(())
    }

    fn flush(&mut self, server: &Server, client: &mut Client) -> anyhow::Result<()> {
        let (mut took, mut latencies) = (Rounds::default(), room());
        for _ in 0..FLUSHES {
            fill(client, KEYS, Order::Random)?;
            let work = || {
                let begin = Instant::now();
                client.ask(&["FLUSHDB"])?;
                let flushed = begin.elapsed();
                // What is freed behind the reply may be noticed as well.
                rest(REPEAT)?;
                Ok(flushed)
            };
            took.add(beside(server.resp(), &mut latencies, work)?.0.as_secs_f64());
        }
        self.add("FLUSHDB of 1,000,000 keys", took, latencies, false);
        Ok(())
    }
}

fn skim(server: &Server, words: &[&str], expected: usize) -> anyhow::Result<()> {
    let count = Client::open(server.resp())?.skim(words)?;
    anyhow::ensure!(count >= expected, "{words:?}: {count} of {expected} came");
    Ok(())
}

fn keys_by_prefix(server: &Server) -> anyhow::Result<()> {
    let (mut client, begin) = (Client::open(server.resp())?, Instant::now());
    while begin.elapsed() < REPEAT {
        client.skim(&["KEYS", "match:*"])?;
    }
    Ok(())
}

fn scan(server: &Server) -> anyhow::Result<()> {
    let mut client = Client::open(server.resp())?;
    let (mut cursor, mut count) = (b"0".to_vec(), 0);
    loop {
        let reply = client.ask(&["SCAN", str::from_utf8(&cursor)?, "COUNT", "1000"])?;
        let [next, keys] = reply.items() else { anyhow::bail!("SCAN answers two things") };
        count += keys.items().len();
        cursor = next.text().unwrap_or(b"0").to_vec();
        if cursor == b"0" {
            anyhow::ensure!(count >= KEYS, "SCAN gave {count} of {KEYS} keys");
            return Ok(());
        }
    }
}
