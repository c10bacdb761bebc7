//! `bench http`: what Consul's clients ask for most, with wrk over 64 connections that are kept: the health of a service
//! of three instances, a key, and a key that is put.
//!
//! There is no Consul beside us to run. What it does was measured elsewhere on a machine like ours: 1.10 in dev mode,
//! which keeps everything in memory.

use std::net::SocketAddr;

use adsum_tests::http::request;
use anyhow::Context;

use crate::machine::load_average;
use crate::rounds::{Rounds, duration};
use crate::server::Server;
use crate::table::Table;
use crate::wrk;

const ROUNDS: usize = 3;
const SECONDS: u32 = 3;
const CONNECTIONS: u32 = 64;
const INSTANCES: usize = 3;
/// Keys of each thread of wrk that are put in turn.
const PUT: &str = r#"
local at = 0
wrk.method = "PUT"
wrk.body = string.rep("v", 100)
request = function()
  at = at % 10000 + 1
  return wrk.format(nil, "/v1/kv/bench/" .. at)
end
"#;

struct Case {
    name: &'static str,
    path: &'static str,
    durability: &'static str,
    puts: bool,
    /// Requests per second of Consul.
    consul: f64,
}

const HEALTH: &str = "/v1/health/service/web?passing";
const CASES: [Case; 4] = [
    Case { name: "health of a service", path: HEALTH, durability: "always", puts: false, consul: 7_500.0 },
    Case { name: "KV get", path: "/v1/kv/bench/1", durability: "always", puts: false, consul: 24_500.0 },
    Case { name: "KV put, always", path: "/", durability: "always", puts: true, consul: 14_900.0 },
    Case { name: "KV put, everysec", path: "/", durability: "everysec", puts: true, consul: 14_900.0 },
];

#[derive(Default)]
struct Figures {
    rate: Rounds,
    p99: Rounds,
    /// Microseconds of the agent's processor time per request.
    cpu: Rounds,
    errors: f64,
}

pub(crate) fn run(words: &[&str]) -> anyhow::Result<()> {
    let rounds = match words {
        [] => ROUNDS,
        [rounds] => rounds.parse().context("ROUNDS is a number")?,
        _ => anyhow::bail!("http takes the number of rounds"),
    };
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("put.lua");
    std::fs::write(&script, PUT)?;
    let script = script.to_str().context("the temporary directory is no text")?;
    let agents = [agent("always")?, agent("everysec")?];
    let mut figures = CASES.map(|_| Figures::default());
    let before = load_average();
    for _ in 0..rounds {
        for (case, figures) in CASES.iter().zip(&mut figures) {
            let server = &agents[usize::from(case.durability == "everysec")];
            figures.measure(case, server, script)?;
        }
    }
    let mut table =
        Table::new(&["requests", "per second", "Consul 1.10", "ratio", "p99", "CPU each", "errors"]);
    CASES.iter().zip(&figures).for_each(|(case, figures)| table.row(figures.row(case)));
    println!(
        "{rounds} rounds of {SECONDS} s, best (worst); load average {before} before, {} after\n",
        load_average()
    );
    table.print();
    Ok(())
}

/// An agent with what is asked for.
fn agent(durability: &str) -> anyhow::Result<Server> {
    let server = Server::agent(&Server::agent_program()?, durability)?;
    let http = server.http().context("an agent has this face")?;
    for instance in 1..=INSTANCES {
        let body = format!(
            r#"{{"ID": "web-{instance}", "Name": "web", "Address": "10.0.0.{instance}", "Port": 80, "Tags": ["v1"],
                "Check": {{"TTL": "1h", "Status": "passing"}}}}"#
        );
        put(http, "/v1/agent/service/register", &body)?;
    }
    put(http, "/v1/kv/bench/1", &"v".repeat(100))?;
    Ok(server)
}

fn put(http: SocketAddr, path: &str, body: &str) -> anyhow::Result<()> {
    let answer = request(http, "PUT", path, &[], body)?;
    anyhow::ensure!(answer.status == 200, "PUT {path}: {} {}", answer.status, answer.body);
    Ok(())
}

impl Figures {
    fn measure(&mut self, case: &Case, server: &Server, script: &str) -> anyhow::Result<()> {
        let http = server.http().context("an agent has this face")?;
        let more: &[&str] = if case.puts { &["-s", script] } else { &[] };
        let before = server.process().cpu()?;
        let load = wrk::run(CONNECTIONS, SECONDS, more, &format!("http://{http}{}", case.path))?;
        let spent = server.process().cpu()?.saturating_sub(before).as_secs_f64();
        self.rate.add(load.per_second);
        self.p99.add(load.p99);
        self.cpu.add(spent / load.requests.max(1.0));
        self.errors += load.errors;
        Ok(())
    }

    fn row(&self, case: &Case) -> Vec<String> {
        let thousands = |rate: f64| format!("{:.1}k", rate / 1e3);
        vec![
            case.name.to_string(),
            self.rate.best_is_most(thousands),
            thousands(case.consul),
            format!("{:.2} x", self.rate.largest() / case.consul),
            self.p99.best_is_least(duration),
            self.cpu.best_is_least(duration),
            self.errors.to_string(),
        ]
    }
}
