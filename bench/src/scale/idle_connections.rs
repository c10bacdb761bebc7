//! `bench scale idle-connections`: ten thousand clients that were answered once and ask for nothing, and one that
//! does.

use std::thread::sleep;
use std::time::Duration;

use crate::crowd::Crowd;
use crate::rounds::duration;
use crate::server::Server;

use super::Peer;
use super::client::Client;
use super::goal::{print, row};
use super::keys::{Order, fill};
use super::reply::Reply;
use super::sampler;

/// With the active one the 10,000 that an agent takes.
const CLIENTS: usize = 9_999;
const SETTLE: Duration = Duration::from_secs(3);
const WATCH: Duration = Duration::from_secs(10);
const ACTIVE: Duration = Duration::from_secs(5);

struct Figures {
    /// Bytes per connection.
    rss: f64,
    /// Of one core.
    cpu: f64,
    /// Seconds at p50, p99, p99.9 and the longest, without the crowd and with it.
    alone: [f64; 4],
    among: [f64; 4],
}

pub(super) fn run() -> anyhow::Result<()> {
    let (adsum, redis) = (measure(Peer::Adsum)?, measure(Peer::Redis)?);
    let cells = |show: fn(&Figures) -> String| [show(&adsum), show(&redis)];
    let rows = vec![
        row("RSS per connection", cells(|side| format!("{:.0} B", side.rss))),
        row("CPU while nobody asks", cells(|side| format!("{:.2} %", side.cpu * 100.0))),
        row("GET of one client alone: p50, p99, longest", cells(|side| shown(&side.alone))),
        row("GET of one client among them: p50, p99, longest", cells(|side| shown(&side.among))),
    ];
    print(&format!("{CLIENTS} idle connections"), rows);
    Ok(())
}

fn measure(peer: Peer) -> anyhow::Result<Figures> {
    let server = peer.start()?;
    fill(&mut Client::open(server.resp())?, 1000, Order::Random)?;
    let alone = active(&server)?;
    sleep(SETTLE);
    let before = server.process().rss()?;
    let crowd: Crowd<Reply> = Crowd::gather(server.resp(), CLIENTS)?;
    sleep(SETTLE);
    let rss = server.process().rss()?.saturating_sub(before) as f64 / crowd.len() as f64;
    let cpu = server.process().cpu()?;
    sleep(WATCH);
    let cpu = (server.process().cpu()? - cpu).as_secs_f64() / WATCH.as_secs_f64();
    Ok(Figures { rss, cpu, alone, among: active(&server)? })
}

fn active(server: &Server) -> anyhow::Result<[f64; 4]> {
    let mut latencies = sampler::room();
    sampler::beside(server.resp(), &mut latencies, || sampler::rest(ACTIVE))?;
    Ok(latencies.quantiles())
}

fn shown([p50, p99, _, longest]: &[f64; 4]) -> String {
    [p50, p99, longest].map(|seconds| duration(*seconds)).join(", ")
}
