//! `adsum gateway status`.

use std::process::ExitCode;

use serde::Deserialize;

use super::ports::Port;
use crate::client::{Client, Outcome, Path, view};
use crate::listing::{Format, FormatFlag, print_json};
use crate::moment;
use crate::screen::{Screen, Tone, print};

const EXAMPLES: &str = "Examples:
  adsum gateway status
  adsum gateway status --format json";

/// Show how the gateway is: its table, its workers, what is in flight, what is wrong
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    listing: FormatFlag,
}

#[derive(Debug, Deserialize)]
pub(super) struct Gateway {
    addr: String,
    tls_addr: Option<String>,
    table: Table,
    members: Vec<Member>,
    workers: Vec<Worker>,
    pub(super) ports: Vec<Port>,
    pools: Vec<Pool>,
    problems: Vec<String>,
    cut: u64,
}

#[derive(Debug, Deserialize)]
struct Table {
    revision: u64,
    wanted: u64,
    age_ms: u64,
    fresh: bool,
}

#[derive(Debug, Deserialize)]
struct Member {
    face: String,
    node: String,
    worker: u32,
    applied: u64,
    live: bool,
    in_flight: Vec<InFlight>,
}

#[derive(Debug, Deserialize)]
struct InFlight {
    instance: String,
    requests: u64,
    upgrades: u64,
}

#[derive(Debug, Deserialize)]
struct Worker {
    connections: u64,
    requests: u64,
    upgrades: u64,
}

#[derive(Debug, Deserialize)]
struct Pool {
    service: String,
    routable: usize,
    panic: bool,
    replacing: bool,
}

impl Gateway {
    pub(super) fn routable(&self, service: &str) -> usize {
        let pool = self.pools.iter().find(|pool| pool.service == service);
        pool.map_or(0, |pool| pool.routable)
    }
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let json = client.get(Path::of(&["api", "gateway"])).await?;
    match args.listing.format {
        Format::Json => print_json(&json)?,
        Format::Table => print(&text(&view(&json)?, Screen::stdout()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn text(gateway: &Gateway, screen: Screen) -> String {
    let mut lines = vec![line("address", &format!("http://{}", gateway.addr))];
    lines.extend(gateway.tls_addr.as_ref().map(|addr| line("", &format!("https://{addr}"))));
    let table = &gateway.table;
    let age = moment::span(table.age_ms / 1000).to_lowercase();
    let kept = if table.fresh { "" } else { ", kept from the last run" };
    lines.push(line("table", &format!("revision {} of {}, {age} old{kept}", table.revision, table.wanted)));
    for worker in &gateway.workers {
        let Worker { connections, requests, upgrades } = worker;
        let (connections, requests) = (counted(*connections, "connection"), counted(*requests, "request"));
        let text = format!("{connections}, {requests} in flight, {upgrades} upgraded");
        lines.push(line("worker", &text));
    }
    lines.extend(gateway.members.iter().map(|member| line("applied", &applied(member))));
    for pool in gateway.pools.iter().filter(|pool| pool.panic || pool.replacing) {
        let state = if pool.panic { "too few instances pass" } else { "is being replaced, requests wait" };
        lines.push(screen.paint(Tone::Busy, &line("pool", &format!("{}: {state}", pool.service))));
    }
    let problems = gateway.problems.iter().map(|problem| screen.paint(Tone::Bad, &line("problem", problem)));
    lines.extend(problems);
    lines.push(line("cut", &format!("{} at the end of a drain", counted(gateway.cut, "connection"))));
    lines.join("\n") + "\n"
}

fn line(name: &str, value: &str) -> String {
    format!("{name:<10} {value}")
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn applied(member: &Member) -> String {
    let who = match member.face.as_str() {
        "gateway" => format!("gateway on {} (worker {})", member.node, member.worker),
        face => format!("{face} on {}", member.node),
    };
    let gone = if member.live { "" } else { ", has not reported lately" };
    let in_flight = member.in_flight.iter().map(|in_flight| {
        let InFlight { instance, requests, upgrades } = in_flight;
        let (requests, upgrades) = (counted(*requests, "request"), counted(*upgrades, "upgraded connection"));
        format!(", {requests} and {upgrades} on {instance}")
    });
    format!("{} by {who}{gone}{}", member.applied, in_flight.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_state_is_a_line_for_each_thing_that_matters() {
        let json = json!({
            "addr": "127.0.0.1:8080", "tls_addr": null, "table": {"revision": 7, "wanted": 8, "age_ms": 5, "fresh": true},
            "members": [{"face": "gateway", "node": "one", "worker": 0, "applied": 7, "live": true,
                "in_flight": [{"instance": "abc", "requests": 1, "upgrades": 0}]}],
            "workers": [{"worker": 0, "connections": 3, "requests": 1, "upgrades": 0}],
            "ports": [], "pools": [{"service": "web", "routable": 1, "draining": 0, "panic": true, "replacing": false}],
            "problems": ["x"], "cut": 2,
        });
        let gateway: Gateway = serde_json::from_value(json).unwrap();
        let text = text(&gateway, Screen { colours: false, unicode: false });
        for expect in [
            "address    http://127.0.0.1:8080\n",
            "table      revision 7 of 8, ",
            "worker     3 connections, 1 request in flight, 0 upgraded\n",
            "applied    7 by gateway on one (worker 0), 1 request and 0 upgraded connections on abc\n",
            "pool       web: too few instances pass\n",
            "problem    x\n",
            "cut        2 connections",
        ] {
            assert!(text.contains(expect), "{expect}: {text}");
        }
        assert_eq!((gateway.routable("web"), gateway.routable("x")), (1, 0));
    }
}
