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
    /// Seconds that the work took; none where its length says nothing.
    took: Rounds,
    /// Seconds at p50, p99 and the longest of each round; none where nobody looked.
    latencies: [Rounds; 3],
    has_goal: bool,
}

/// What somebody else does.
struct Work {
    what: &'static str,
    /// Nobody may stand still beside it.
    has_goal: bool,
    /// How long it takes is of interest.
    is_timed: bool,
}

impl Work {
    fn named(what: &'static str) -> Work {
        Work { what, has_goal: false, is_timed: true }
    }

    fn with_goal(what: &'static str) -> Work {
        Work { has_goal: true, ..Work::named(what) }
    }

    fn for_a_while(what: &'static str) -> Work {
        Work { is_timed: false, ..Work::named(what) }
    }
}

pub(super) fn run() -> anyhow::Result<()> {
    let sides = [Side::measure(Peer::Adsum)?, Side::measure(Peer::Redis)?];
    let [adsum, redis] = &sides;
    let mut rows = Vec::new();
    for (own, peer) in adsum.rows.iter().zip(&redis.rows) {
        rows.extend(rows_of(own, peer));
    }
    print(&format!("{KEYS} keys, best (worst) of {ROUNDS} rounds"), rows);
    Ok(())
}

fn rows_of(own: &Seen, peer: &Seen) -> Vec<Row> {
    let both = [own, peer];
    let mut rows = Vec::new();
    let longest = own.latencies[2].smallest();
    if longest.is_finite() {
        let seen = row(format!("GET beside {}: p50, p99, longest", own.what), both.map(Seen::quantiles));
        rows.push(match own.has_goal {
            true => seen.goal("longest < 10 ms", longest < GOAL),
            false => seen,
        });
    }
    if own.took.largest().is_finite() {
        rows.push(row(format!("{} itself, best (worst)", own.what), both.map(Seen::took)));
    }
    rows
}

impl Seen {
    fn nothing(of: &Work) -> Seen {
        Seen { what: of.what, took: Rounds::default(), latencies: Default::default(), has_goal: of.has_goal }
    }

    /// One more round.
    fn add(&mut self, mut latencies: Latencies) {
        let [p50, p99, _, longest] = latencies.quantiles();
        self.latencies.iter_mut().zip([p50, p99, longest]).for_each(|(rounds, seconds)| rounds.add(seconds));
    }

    fn quantiles(&self) -> String {
        self.latencies.each_ref().map(|rounds| rounds.best_is_least(duration)).join(", ")
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
        side.watch(&server, Work::for_a_while("nothing"), || rest(REPEAT))?;
        side.watch(&server, Work::with_goal("KEYS *"), || skim(&server, &["KEYS", "*"], KEYS))?;
        side.watch(&server, Work::for_a_while("KEYS match:*"), || keys_by_prefix(&server))?;
        side.watch(&server, Work::named("SCAN of everything"), || scan(&server))?;
        side.snapshot(&server, peer)?;
        side.list(&server, &mut client)?;
        side.flush(&server, &mut client)?;
        Ok(side)
    }

    /// Runs it several times beside a client that GETs.
    fn watch(
        &mut self,
        server: &Server,
        work: Work,
        body: impl Fn() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        eprintln!("{}", work.what);
        let mut seen = Seen::nothing(&work);
        for _ in 0..ROUNDS {
            let mut latencies = room();
            let (_, time) = beside(server.resp(), &mut latencies, &body)?;
            seen.add(latencies);
            if work.is_timed {
                seen.took.add(time.as_secs_f64());
            }
        }
        self.rows.push(seen);
        Ok(())
    }

    fn time_of_prefix(&mut self, what: &'static str, client: &mut Client) -> anyhow::Result<()> {
        let mut took = Rounds::default();
        for _ in 0..50 {
            let begin = Instant::now();
            anyhow::ensure!(client.skim(&["KEYS", "match:*"])? == MATCHES, "{what}: not all were found");
            took.add(begin.elapsed().as_secs_f64());
        }
        self.rows.push(Seen { took, ..Seen::nothing(&Work::named(what)) });
        Ok(())
    }

    /// What makes an agent write one is not what is to be seen, so the client looks from the beginning of the
    /// writing to its end.
    fn snapshot(&mut self, server: &Server, peer: Peer) -> anyhow::Result<()> {
        let (mut seen, mut latencies) = (Seen::nothing(&Work::with_goal("a snapshot")), room());
        let running = snapshot::begin(server, peer)?;
        seen.took.add(beside(server.resp(), &mut latencies, || running.finish(server))?.0.as_secs_f64());
        seen.add(latencies);
        self.rows.push(seen);
        Ok(())
    }

    fn list(&mut self, server: &Server, client: &mut Client) -> anyhow::Result<()> {
        // RPUSH list and so many elements.
        let mut push: [&[u8]; 2 + BATCH] = [b"0123456789abcdef"; 2 + BATCH];
        push[..2].copy_from_slice(&[b"RPUSH", b"list"]);
        client.pour((0..ELEMENTS / BATCH).map(|_| push))?;
        self.watch(server, Work::named("LRANGE of 1,000,000 elements"), || {
            skim(server, &["LRANGE", "list", "0", "-1"], ELEMENTS)
        })?;
        client.ask(&["DEL", "list"])?;
        Ok(())
    }

    fn flush(&mut self, server: &Server, client: &mut Client) -> anyhow::Result<()> {
        let mut seen = Seen::nothing(&Work::named("FLUSHDB of 1,000,000 keys"));
        for _ in 0..FLUSHES {
            fill(client, KEYS, Order::Random)?;
            let mut latencies = room();
            let work = || {
                let begin = Instant::now();
                client.ask(&["FLUSHDB"])?;
                let flushed = begin.elapsed();
                // What is freed behind the reply may be noticed as well.
                rest(REPEAT)?;
                Ok(flushed)
            };
            seen.took.add(beside(server.resp(), &mut latencies, work)?.0.as_secs_f64());
            seen.add(latencies);
        }
        self.rows.push(seen);
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
