//! `bench scale memory`: what a small key takes, of a million.

use std::thread::sleep;
use std::time::Duration;

use super::client::Client;
use super::goal::{print, row};
use super::keys::{Order, fill};
use super::{KEYS, Peer};

/// So many times redis-server at most.
const GOAL: f64 = 1.5;
/// From readiness, and from the last key, until memory has settled.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) fn run() -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (order, what) in [(Order::Random, "set at random"), (Order::Ascending, "set in order")] {
        let [adsum, redis] = [Peer::Adsum, Peer::Redis].map(|peer| per_key(peer, order));
        let (adsum, redis) = (adsum?, redis?);
        let ratio = adsum / redis;
        let cells = [format!("{adsum:.0} B ({ratio:.2} x)"), format!("{redis:.0} B")];
        rows.push(row(format!("per key, {what}"), cells).goal("1.5 x", ratio <= GOAL));
    }
    print(&format!("RSS, {KEYS} keys"), rows);
    Ok(())
}

/// Bytes by which the resident memory has grown.
fn per_key(peer: Peer, order: Order) -> anyhow::Result<f64> {
    let server = peer.start()?;
    let mut client = Client::open(server.resp())?;
    sleep(SETTLE);
    let before = server.process().rss()?;
    fill(&mut client, KEYS, order)?;
    sleep(SETTLE);
    Ok((server.process().rss()?.saturating_sub(before)) as f64 / KEYS as f64)
}
