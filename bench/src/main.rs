//! Side-by-side benchmarks against the peers: `cargo xtask bench WHAT`. `main` only dispatches; one file per
//! benchmark. Each prints tables that docs/benchmarks.md takes over with their command.

mod cases;
mod crowd;
mod discovery;
mod dns;
mod gateway;
mod http;
mod idle;
mod keyspace;
mod latencies;
mod machine;
mod process;
mod random;
mod resp;
mod rollout;
mod rounds;
mod scale;
mod scale_up;
mod server;
mod spawned;
mod table;
mod wrk;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask bench WHAT

  keyspace [KEYS]            reads at a revision beside a writer: copy-on-write tree, before-images, others
  keyspace SUBJECT [KEYS]    one column of that table
  resp [ROUNDS]              strings, lists, hashes, locks, scripts, PUBLISH with redis-benchmark: adsum agent
                             beside redis-server
  gateway [OPTIONS]          requests per second and their cost: adsum beside haproxy, nginx, traefik and caddy
  http [ROUNDS]              health of a service, KV get and put with wrk: requests per second and their cost
  discovery [CASE]           propagation, blocked, checks: from the end of an instance until everybody knows, ten
                             thousand clients that wait, a thousand checks per second
  dns [ROUNDS]               1,000 services of 3 instances, asked for with dnsperf: adsum beside knot and unbound
  rollout [OPTIONS]          updates under load and scaling: adsum beside Docker Swarm behind haproxy
  scale-up                   from the wish for 20 or 200 instances until all of them get requests
  idle                       memory and processor of an agent and its keeper that nobody asks for anything
  scale [CASE]               a million keys, ten thousand clients: memory, recovery, expiry, idle-connections,
                             watchers, stalls, locks; adsum agent beside redis-server";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> anyhow::Result<()> {
    match words {
        ["keyspace", words @ ..] => keyspace::run(words),
        ["resp", words @ ..] => resp::run(words),
        ["gateway", words @ ..] => gateway::run(words),
        ["http", words @ ..] => http::run(words),
        ["discovery", words @ ..] => discovery::run(words),
        ["dns", words @ ..] => dns::run(words),
        ["rollout", words @ ..] => rollout::run(words),
        ["scale-up"] => scale_up::run(),
        ["idle"] => idle::run(),
        ["scale", words @ ..] => scale::run(words),
        _ => anyhow::bail!("no such benchmark\n\n{HELP}"),
    }
}
