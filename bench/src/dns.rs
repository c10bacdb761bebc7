//! `bench dns`: 1,000 services of 3 instances each, asked for with dnsperf: adsum beside knot and unbound.
//!
//! All three answer for the zone `adsum.`, with the same records: knot from a zone file, unbound from local data, ours
//! from a catalog in which a client has registered them. Rounds alternate between the servers, so that what else the
//! machine does strikes all of them.

mod load;
mod server;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use self::load::{Run, run_dnsperf};
use self::server::{Kind, Named};
use crate::rounds::Rounds;
use crate::table::Table;

const SERVICES: usize = 1000;
const INSTANCES: usize = 3;
const DEFAULT_ROUNDS: usize = 3;
const SECONDS: u64 = 3;

/// One kind of question.
struct Case {
    name: &'static str,
    /// What is asked of the service with this number.
    question: fn(usize) -> String,
}

const CASES: [Case; 4] = [
    Case { name: "SRV", question: |service| format!("{}.service.adsum SRV", name_of(service)) },
    Case { name: "A", question: |service| format!("{}.service.adsum A", name_of(service)) },
    Case { name: "AAAA, which there is none of", question: |s| format!("{}.service.adsum AAAA", name_of(s)) },
    Case { name: "unknown name", question: |service| format!("absent{service}.service.adsum A") },
];

pub(crate) fn run(words: &[&str]) -> anyhow::Result<()> {
    let rounds = match words {
        [] => DEFAULT_ROUNDS,
        [rounds] => rounds.parse().with_context(|| format!("{rounds:?} is no number of rounds"))?,
        _ => anyhow::bail!("cargo xtask bench dns [ROUNDS]"),
    };
    let servers = Kind::ALL.map(Named::start).into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let folder = tempfile::tempdir()?;
    let mut table =
        Table::new(&["questions", "server", "per second", "CPU each", "ratio", "CPU ratio", "lost"]);
    for case in &CASES {
        let questions = write_questions(case, folder.path())?;
        let mut figures: Vec<Figures> = servers.iter().map(|_| Figures::default()).collect();
        for _ in 0..rounds {
            for (server, figures) in servers.iter().zip(&mut figures) {
                figures.add(&run_dnsperf(server, &questions, Duration::from_secs(SECONDS))?);
            }
        }
        for (server, of) in servers.iter().zip(&figures) {
            table.row(of.row(case, server.kind, &figures[0]));
        }
    }
    table.print();
    println!(
        "best of {rounds} rounds of {SECONDS} s (worst in parentheses); ratios are adsum's to that server's"
    );
    Ok(())
}

#[derive(Default)]
struct Figures {
    rate: Rounds,
    cpu: Rounds,
    lost: u64,
}

impl Figures {
    fn add(&mut self, run: &Run) {
        self.rate.add(run.per_second);
        self.cpu.add(run.cpu.as_secs_f64() * 1e6);
        self.lost += run.lost;
    }

    fn row(&self, case: &Case, kind: Kind, ours: &Figures) -> Vec<String> {
        vec![
            case.name.to_string(),
            kind.to_string(),
            self.rate.best_is_most(|rate| format!("{:.1}k", rate / 1000.0)),
            self.cpu.best_is_least(|cpu| format!("{cpu:.2} µs")),
            format!("{:.2} x", ours.rate.largest() / self.rate.largest()),
            format!("{:.2} x", self.cpu.smallest() / ours.cpu.smallest()),
            self.lost.to_string(),
        ]
    }
}

fn name_of(service: usize) -> String {
    format!("service{service}")
}

fn port_of(service: usize, instance: usize) -> usize {
    10_000 + service * INSTANCES + instance
}

fn write_questions(case: &Case, folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("questions");
    let mut file = File::create(&path)?;
    // Not one after the other, as a machine would ask for them.
    (0..SERVICES).try_for_each(|at| writeln!(file, "{}", (case.question)(at * 7 % SERVICES)))?;
    Ok(path)
}
