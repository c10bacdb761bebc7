//! `bench idle`: what an agent and its keeper cost when nobody asks them for anything, every face on.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;

use crate::process::Process;
use crate::server::Server;
use crate::table::Table;

/// From readiness until the start has settled.
const SETTLE: Duration = Duration::from_secs(30);
const WATCH: Duration = Duration::from_secs(20);

pub(crate) fn run() -> anyhow::Result<()> {
    let server = Server::agent(&Server::agent_program()?, "always")?;
    sleep(SETTLE);
    let keeper = server.keeper().context("the agent has no keeper")?;
    let processes = [("agent", server.process()), ("keeper", keeper)];
    let before = times(&processes)?;
    sleep(WATCH);
    let after = times(&processes)?;
    let mut table = Table::new(&["idle", "RSS", "PSS", "CPU"]);
    let mut sum = [0.0; 3];
    for (at, (name, process)) in processes.iter().enumerate() {
        let share = (after[at] - before[at]) / WATCH.as_secs_f64();
        let figures = [process.rss()? as f64, process.pss()? as f64, share];
        table.row(row(name, figures));
        sum.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
    }
    table.row(row("together", sum));
    table.print();
    Ok(())
}

/// Seconds of processor time so far.
fn times(processes: &[(&str, Process)]) -> anyhow::Result<Vec<f64>> {
    processes.iter().map(|(_, process)| Ok(process.cpu()?.as_secs_f64())).collect()
}

fn row(name: &str, [rss, pss, cpu]: [f64; 3]) -> Vec<String> {
    let megabytes = |bytes: f64| format!("{:.1} MB", bytes / 1e6);
    vec![name.to_string(), megabytes(rss), megabytes(pss), format!("{:.2} %", cpu * 100.0)]
}
