//! `bench discovery checks`: a thousand checks that are made each second, of one small server: the agent's share of a core.
//! The server is in our own process, so that it does not count.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use adsum_tests::Backend;
use anyhow::Context;

use super::connection::Connection;
use super::{agent, put};
use crate::rounds::Rounds;
use crate::table::Table;

const CHECKS: usize = 1_000;
const ROUNDS: usize = 3;
const WATCH: Duration = Duration::from_secs(10);
const SETTLE: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(60);
const GOAL: f64 = 0.1;

pub(super) fn run() -> anyhow::Result<()> {
    let mut table = Table::new(&["checks at 1 s", "CPU of the agent", "goal", "met"]);
    let tcp = |address: SocketAddr| format!(r#""TCP": "{address}""#);
    let http = |address: SocketAddr| format!(r#""HTTP": "http://{address}/healthz""#);
    for (name, shares) in [("1,000 by HTTP", measure(&http)?), ("1,000 by TCP", measure(&tcp)?)] {
        let met = if shares.median() < GOAL { "yes" } else { "**no**" };
        let shown = shares.best_is_least(|share| format!("{:.1} %", share * 100.0));
        table.row([name, &shown, "< 10 %", met].map(str::to_string).to_vec());
    }
    table.print();
    println!("\n{ROUNDS} rounds of {} s, best (worst); the median is held against the goal", WATCH.as_secs());
    Ok(())
}

fn measure(check: &dyn Fn(SocketAddr) -> String) -> anyhow::Result<Rounds> {
    let (server, http) = agent()?;
    let backend = Backend::start();
    for number in 0..CHECKS {
        let body = format!(
            r#"{{"ID": "check-{number}", "Name": "check-{number}", "Interval": "1s", {}}}"#,
            check(backend.address())
        );
        put(http, "/v1/agent/check/register", &body)?;
    }
    until_all_pass(http)?;
    sleep(SETTLE);
    let mut shares = Rounds::default();
    for _ in 0..ROUNDS {
        let (begin, before) = (Instant::now(), server.process().cpu()?);
        sleep(WATCH);
        let spent = server.process().cpu()?.saturating_sub(before);
        shares.add(spent.as_secs_f64() / begin.elapsed().as_secs_f64());
    }
    until_all_pass(http).context("while it was measured")?;
    Ok(shares)
}

fn until_all_pass(http: SocketAddr) -> anyhow::Result<()> {
    let (begin, mut connection) = (Instant::now(), Connection::open(http)?);
    loop {
        let answer = connection.get("/v1/health/state/passing")?;
        let passing = answer.body.matches(r#""CheckID":"check-"#).count();
        if passing == CHECKS {
            return Ok(());
        }
        anyhow::ensure!(begin.elapsed() < PATIENCE, "{passing} of {CHECKS} pass");
        sleep(SETTLE / 10);
    }
}
