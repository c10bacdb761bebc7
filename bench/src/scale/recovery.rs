//! `bench scale recovery`: how soon an agent that was killed is back with a million keys, from what it has on disk at that
//! moment and right after a snapshot; and how long a snapshot takes. Redis has its log in place of the former.

use std::time::Duration;

use anyhow::Context;

use crate::rounds::{Rounds, duration};
use crate::server::Server;

use super::client::Client;
use super::goal::{print, row};
use super::keys::{Order, fill};
use super::stalls::snapshot;
use super::{KEYS, Peer};

const ROUNDS: usize = 3;
const GOAL: Duration = Duration::from_secs(3);

struct Figures {
    /// Seconds until ready.
    journal: Rounds,
    snapshot: Rounds,
    /// Seconds to write it.
    writing: f64,
}

pub(super) fn run() -> anyhow::Result<()> {
    let sides = [adsum()?, redis()?];
    let show = |rounds: &Rounds| rounds.best_is_least(duration);
    let met = |rounds: &Rounds| rounds.largest() < GOAL.as_secs_f64();
    let rows = vec![
        row("start, as it was killed", [0, 1].map(|side| show(&sides[side].journal)))
            .goal("< 3 s", met(&sides[0].journal)),
        row("start from a snapshot", [0, 1].map(|side| show(&sides[side].snapshot)))
            .goal("< 3 s", met(&sides[0].snapshot)),
        row("writing a snapshot", [0, 1].map(|side| duration(sides[side].writing))),
    ];
    print(&format!("{KEYS} keys, best (worst) of {ROUNDS}"), rows);
    Ok(())
}

/// As it is killed, there is the last snapshot that the agent has made by itself, and the journal since; after another
/// one, little is left to be read of the journal.
fn adsum() -> anyhow::Result<Figures> {
    let mut server = Peer::Adsum.start()?;
    fill(&mut Client::open(server.resp())?, KEYS, Order::Random)?;
    let journal = restarts(&mut server)?;
    let running = snapshot::begin(&server, Peer::Adsum)?;
    let writing = running.finish(&server)?.as_secs_f64();
    Ok(Figures { journal, snapshot: restarts(&mut server)?, writing })
}

/// Redis starts from its log, or, without one, from its snapshot.
fn redis() -> anyhow::Result<Figures> {
    let mut logging = Peer::Redis.start()?;
    fill(&mut Client::open(logging.resp())?, KEYS, Order::Random)?;
    let journal = restarts(&mut logging)?;
    drop(logging);
    let mut saving = Server::redis(&["--appendonly", "no"])?;
    fill(&mut Client::open(saving.resp())?, KEYS, Order::Random)?;
    let writing = snapshot::begin(&saving, Peer::Redis)?.finish(&saving)?.as_secs_f64();
    Ok(Figures { journal, snapshot: restarts(&mut saving)?, writing })
}

/// Seconds until ready, each after a kill -9; every key is there.
fn restarts(server: &mut Server) -> anyhow::Result<Rounds> {
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        rounds.add(server.restart()?.as_secs_f64());
        let size = Client::open(server.resp())?.ask(&["DBSIZE"])?;
        let keys = size.number().context("DBSIZE is a number")?;
        anyhow::ensure!(keys as usize >= KEYS, "only {keys} keys are back");
    }
    Ok(rounds)
}
