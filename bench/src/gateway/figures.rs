//! What was measured of one peer in one case.

use std::time::Duration;

use crate::rounds::{Rounds, duration};
use crate::wrk::Load;

#[derive(Default)]
pub(super) struct Figures {
    per_second: Rounds,
    p50: Rounds,
    p99: Rounds,
    /// Microseconds of processor time per request.
    cpu: Rounds,
    /// Bytes after the load.
    rss: Rounds,
    pub(super) errors: f64,
}

impl Figures {
    pub(super) fn add(&mut self, load: &Load, cpu: Duration, rss: u64) {
        self.per_second.add(load.per_second);
        self.p50.add(load.p50);
        self.p99.add(load.p99);
        self.cpu.add(cpu.as_secs_f64() * 1e6 / load.requests.max(1.0));
        self.rss.add(rss as f64);
        self.errors += load.errors;
    }

    pub(super) fn rate(&self) -> String {
        format!("{:.0} ({:.0})", self.per_second.largest(), self.per_second.median())
    }

    /// How many times the peer's rate.
    pub(super) fn ratio(&self, peer: &Figures) -> String {
        let best = self.per_second.largest() / peer.per_second.largest();
        format!("{best:.2} ({:.2})", self.per_second.median() / peer.per_second.median())
    }

    /// p50 and p99 of the median round.
    pub(super) fn latency(&self) -> String {
        format!("{}, {}", duration(self.p50.median()), duration(self.p99.median()))
    }

    pub(super) fn cpu(&self) -> String {
        format!("{:.1} ({:.1})", self.cpu.smallest(), self.cpu.median())
    }

    pub(super) fn rss(&self) -> String {
        format!("{:.1} MB", self.rss.largest() / 1e6)
    }
}
