//! What a gateway tells of itself while it runs, and to whom.

use std::ops::AddAssign;
use std::time::Instant;

use adsum_model::{InstanceId, Name, Revision};

/// Who is told, and who knows whether the gateway's lease lives. Called on the workers' threads: must not block.
pub trait Control: Send + Sync + 'static {
    /// What a worker has applied and has in flight. Comes at once when a table was applied or the last request of a
    /// member that drains has ended, and each second.
    fn report(&self, worker: usize, report: Report);

    /// A worker has nothing in flight any more and ends: it is not to be waited for. Nothing is reported of it afterwards.
    fn ended(&self, _worker: usize) {}

    /// Whether what decides where requests go still counts on this worker. Without it an instance may be taken away
    /// unasked, so that requests that cannot be repeated go out on fresh connections only.
    fn has_lease(&self, worker: usize) -> bool;

    /// A client was sent to an instance's own address.
    fn asked(&self, service: &Name);

    /// A published port was opened, or could not be. A failure is told when it first occurs and when it changes.
    fn listening(&self, port: u16, outcome: Result<(), String>);
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The table whose members get new requests.
    pub applied: Revision,
    /// Of every member that drains, and of those that have left the table with something in flight; each once.
    pub in_flight: Vec<(InstanceId, InFlight)>,
    /// Instances that the worker sends nothing for a while, because they have failed.
    pub ejected: Vec<Ejected>,
    /// Upgraded and TCP connections cut at the end of a drain, since the worker was started.
    pub cut: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ejected {
    pub service: Name,
    pub instance: InstanceId,
    /// Technical ones, in a row.
    pub failures: u32,
    pub until: Instant,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    pub requests: u32,
    /// Upgraded and TCP connections, event streams.
    pub upgrades: u32,
}

impl InFlight {
    pub fn is_empty(self) -> bool {
        self == InFlight::default()
    }
}

impl AddAssign for InFlight {
    fn add_assign(&mut self, more: InFlight) {
        self.requests += more.requests;
        self.upgrades += more.upgrades;
    }
}
