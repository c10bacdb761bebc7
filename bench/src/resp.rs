//! `bench resp`: what coordination asks for with `redis-benchmark`, our agent beside redis-server with the same durability.
//! Both run at the same time and are loaded in turn, so that what disturbs one round disturbs both.

mod load;
mod nothing;

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

use self::load::{LOCK, Load, SET, WORKS};
use crate::rounds::{Rounds, duration};
use crate::server::Server;
use crate::table::Table;

const ROUNDS: usize = 3;
const PIPELINES: [usize; 2] = [1, 16];

/// What both servers are asked for while they promise the same.
struct Contest {
    durability: &'static str,
    loads: Vec<Load>,
}

impl Contest {
    fn all() -> [Contest; 2] {
        [
            Contest { durability: "everysec", loads: Load::all(&WORKS, &PIPELINES) },
            Contest { durability: "always", loads: Load::all(&[SET, LOCK], &PIPELINES) },
        ]
    }

    /// How many times as much as redis-server the agent is to do.
    fn goal(&self, load: &Load) -> f64 {
        if self.durability == "always" || load.pipeline > 1 { 1.5 } else { 1.0 }
    }
}

/// One server and what was measured of it, load by load.
struct Side {
    server: Server,
    figures: Vec<Figures>,
}

#[derive(Default)]
struct Figures {
    /// Requests per second.
    rate: Rounds,
    /// Microseconds of the server's processor time per request, user and system.
    cpu: Rounds,
}

pub(crate) fn run(words: &[&str]) -> anyhow::Result<()> {
    let rounds = match words {
        [] => ROUNDS,
        [rounds] => rounds.parse().context("ROUNDS is a number")?,
        _ => anyhow::bail!("resp takes the number of rounds"),
    };
    let program = Server::agent_program().map_err(|error| eprintln!("adsum is left out: {error:#}")).ok();
    let mut table = Table::new(&[
        "50 connections",
        "redis-server, requests/s",
        "adsum, requests/s",
        "ratio",
        "goal",
        "met",
        "redis-server, CPU µs per request",
        "adsum, CPU µs per request",
    ]);
    let begin = Instant::now();
    for contest in Contest::all() {
        let sides = contest.hold(rounds, program.as_deref())?;
        contest.report(&sides, &mut table);
    }
    println!("\n{rounds} rounds in {:.0?}, best (median)\n", begin.elapsed());
    table.print();
    limits(rounds)?.iter().for_each(|limit| println!("{limit}"));
    Ok(())
}

/// What a server would do that takes no time.
fn limits(rounds: usize) -> anyhow::Result<Vec<String>> {
    let address = nothing::serve()?;
    let limit = |load: &Load| {
        let rates = (0..rounds).map(|_| load.run(address)).collect::<anyhow::Result<Vec<f64>>>()?;
        let rate = Figures { rate: Rounds::of(rates.into_iter()), ..Figures::default() };
        Ok(format!("{load}, answered by a server that does nothing: {} requests/s", rate.rate_cell()))
    };
    Load::all(&[SET], &PIPELINES).iter().map(limit).collect()
}

impl Contest {
    /// Redis first, and ours when there is one.
    fn hold(&self, rounds: usize, program: Option<&Path>) -> anyhow::Result<Vec<Side>> {
        let redis = ["--appendonly", "yes", "--appendfsync", self.durability];
        let mut sides = vec![self.side(Server::redis(&redis)?)];
        if let Some(program) = program {
            sides.push(self.side(Server::agent(program, self.durability)?));
        }
        let flush = Rounds::of((0..20).map(|_| fsync(sides[0].server.folder()).unwrap_or(f64::NAN)));
        println!("{}: an fsync takes {}", self.durability, duration(flush.median()));
        for round in 0..rounds {
            eprintln!("{}: round {} of {rounds}", self.durability, round + 1);
            for (at, load) in self.loads.iter().enumerate() {
                sides.iter_mut().try_for_each(|side| side.measure(at, load))?;
            }
            // The first of one round is the last of the next.
            sides.reverse();
        }
        if rounds % 2 == 1 {
            sides.reverse();
        }
        Ok(sides)
    }

    fn side(&self, server: Server) -> Side {
        Side { server, figures: self.loads.iter().map(|_| Figures::default()).collect() }
    }

    fn report(&self, sides: &[Side], table: &mut Table) {
        for (at, load) in self.loads.iter().enumerate() {
            let (peer, goal) = (&sides[0].figures[at], self.goal(load));
            let own = sides.get(1).map(|side| &side.figures[at]);
            let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_string());
            table.row(vec![
                format!("{load}, {}", self.durability),
                peer.rate_cell(),
                or_dash(own.map(Figures::rate_cell)),
                or_dash(own.map(|own| own.ratio_cell(peer))),
                format!("{goal:.1}"),
                or_dash(own.map(|own| if own.ratio(peer) >= goal { "yes" } else { "**no**" }.to_string())),
                peer.cpu_cell(),
                or_dash(own.map(Figures::cpu_cell)),
            ]);
        }
    }
}

impl Side {
    fn measure(&mut self, at: usize, load: &Load) -> anyhow::Result<()> {
        load.prepare(self.server.resp())?;
        let process = self.server.process();
        let before = process.cpu()?;
        let rate = load.run(self.server.resp())?;
        // Children are counted when they have been waited for, work behind the replies when it is done.
        std::thread::sleep(Duration::from_millis(200));
        let cpu = (process.cpu()? - before).as_secs_f64();
        self.figures[at].rate.add(rate);
        self.figures[at].cpu.add(cpu / load.requests() as f64 * 1e6);
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

    /// Best by best.
    fn ratio(&self, peer: &Figures) -> f64 {
        self.rate.largest() / peer.rate.largest()
    }

    fn ratio_cell(&self, peer: &Figures) -> String {
        format!("{:.2} ({:.2})", self.ratio(peer), self.rate.median() / peer.rate.median())
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
