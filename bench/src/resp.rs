//! `bench resp`: SET, GET and INCR with `redis-benchmark`, our agent beside redis-server with the same durability.
//! Both run at the same time and are loaded in turn, so that what disturbs one round disturbs both.

mod load;

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

use self::load::{LOADS, Load};
use crate::rounds::{Rounds, duration};
use crate::server::Server;
use crate::table::Table;

const ROUNDS: usize = 5;
const DURABILITIES: [&str; 2] = ["everysec", "always"];

/// One server and what was measured of it, load by load.
struct Side {
    server: Server,
    figures: [Figures; LOADS.len()],
}

#[derive(Default)]
struct Figures {
    /// Requests per second.
    rate: Rounds,
    /// Seconds of the server's processor time per million requests.
    cpu: Rounds,
}

pub(crate) fn run(words: &[&str]) -> anyhow::Result<()> {
    let rounds = match words {
        [] => ROUNDS,
        [rounds] => rounds.parse().context("ROUNDS is a number")?,
        _ => anyhow::bail!("resp takes the number of rounds"),
    };
    let program = Server::agent_program().map_err(|error| eprintln!("adsum is left out: {error:#}")).ok();
    for durability in DURABILITIES {
        compare(durability, rounds, program.as_deref())?;
    }
    Ok(())
}

fn compare(durability: &str, rounds: usize, program: Option<&Path>) -> anyhow::Result<()> {
    let redis = ["--appendonly", "yes", "--appendfsync", durability];
    let mut sides = vec![Side::of(Server::redis(&redis)?)];
    if let Some(program) = program {
        sides.push(Side::of(Server::agent(program, durability)?));
    }
    let flush = Rounds::of((0..20).map(|_| fsync(sides[0].server.folder()).unwrap_or(f64::NAN)));
    for round in 0..rounds {
        eprintln!("{durability}: round {} of {rounds}", round + 1);
        for (at, load) in LOADS.iter().enumerate() {
            sides.iter_mut().try_for_each(|side| side.measure(at, load))?;
        }
        // The first of one round is the last of the next.
        sides.reverse();
    }
    if rounds % 2 == 1 {
        sides.reverse();
    }
    println!(
        "\n{durability}, {rounds} rounds, best (median); an fsync there takes {}\n",
        duration(flush.median())
    );
    table(&sides).print();
    Ok(())
}

fn table(sides: &[Side]) -> Table {
    let mut table = Table::new(&[
        "50 connections",
        "redis-server, requests/s",
        "adsum, requests/s",
        "ratio",
        "redis-server, CPU s per million",
        "adsum, CPU s per million",
    ]);
    for (at, load) in LOADS.iter().enumerate() {
        let peer = &sides[0].figures[at];
        let own = sides.get(1).map(|side| &side.figures[at]);
        let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_string());
        table.row(vec![
            load.to_string(),
            peer.rate_cell(),
            or_dash(own.map(Figures::rate_cell)),
            or_dash(own.map(|own| own.ratio(peer))),
            peer.cpu_cell(),
            or_dash(own.map(Figures::cpu_cell)),
        ]);
    }
    table
}

impl Side {
    fn of(server: Server) -> Side {
        Side { server, figures: Default::default() }
    }

    fn measure(&mut self, at: usize, load: &Load) -> anyhow::Result<()> {
        let process = self.server.process();
        let before = process.cpu()?;
        let rate = load.run(self.server.resp())?;
        // Children are counted when they have been waited for, work behind the replies when it is done.
        std::thread::sleep(Duration::from_millis(200));
        let cpu = (process.cpu()? - before).as_secs_f64();
        self.figures[at].rate.add(rate);
        self.figures[at].cpu.add(cpu / load.requests as f64 * 1e6);
        Ok(())
    }
}

impl Figures {
    fn rate_cell(&self) -> String {
        format!("{:.0} ({:.0})", self.rate.largest(), self.rate.median())
    }

    fn cpu_cell(&self) -> String {
        format!("{:.2} ({:.2})", self.cpu.smallest(), self.cpu.median())
    }

    fn ratio(&self, peer: &Figures) -> String {
        let best = self.rate.largest() / peer.rate.largest();
        format!("{best:.2} ({:.2})", self.rate.median() / peer.rate.median())
    }
}

/// Seconds to make a few bytes durable where the servers write, to tell figures of different disks apart.
fn fsync(folder: &Path) -> std::io::Result<f64> {
    let mut file = std::fs::File::options().create(true).append(true).open(folder.join("fsync"))?;
    file.write_all(&[0; 64])?;
    let begin = Instant::now();
    file.sync_data()?;
    Ok(begin.elapsed().as_secs_f64())
}
