//! What is wanted of a service.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Name, Routing};

/// The whole wish for one service. Changing `task`, `check` or the upstream of the
/// gateway's policy makes a new version; the rest applies to the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    pub name: Name,
    pub replicas: u32,
    pub task: Task,
    pub check: Check,
    pub restart: Restart,
    pub stop: Stop,
    pub update: Update,
    /// Never two instances on one slot's data: replaced stop-first.
    pub exclusive: bool,
    /// Found in the catalog and as DNS tags.
    pub tags: Vec<String>,
    /// As they were written. Those that begin with `adsum.` have become a part of `routing`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub routing: Routing,
}

/// What the driver runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Program and arguments; the program is looked up in `PATH` when it has no slash.
    pub command: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// The agent's own when none is given.
    pub workdir: Option<String>,
}

/// How the health of an instance is found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub kind: CheckKind,
    /// Between two probes of an instance that has once passed; before that every 100 ms.
    pub interval: Duration,
    pub timeout: Duration,
    /// Failures in a row that make a passing instance critical.
    pub retries: u32,
    /// How long a starting instance may fail before it counts as critical.
    pub start_period: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    /// 2xx passing, 429 warning, everything else critical (Consul's rule).
    Http { path: String },
    /// A connection is accepted.
    Tcp,
    /// Exit code 0 passing, 1 warning, everything else critical (Consul's rule).
    Command { command: Vec<String> },
    /// The process lives.
    Process,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    pub condition: RestartCondition,
    /// The first pause; it doubles with each restart up to `max_delay`.
    pub delay: Duration,
    pub max_delay: Duration,
    /// Restarts before the instance is given up; without a limit when none.
    pub max_attempts: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartCondition {
    Any,
    OnFailure,
    None,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// A signal's name, with or without `SIG`.
    pub signal: String,
    /// From the signal to SIGKILL.
    pub grace: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// How many instances are replaced at a time; 0 is all.
    pub parallelism: u32,
    pub order: Order,
    /// How long a draining instance may keep what it has in flight.
    pub drain_timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    StartFirst,
    StopFirst,
}

impl Spec {
    /// Everything at its default but the two that have none.
    pub fn new(name: Name, command: Vec<String>) -> Spec {
        Spec {
            name,
            replicas: 1,
            task: Task { command, env: BTreeMap::new(), workdir: None },
            check: Check::default(),
            restart: Restart::default(),
            stop: Stop::default(),
            update: Update::default(),
            exclusive: false,
            tags: Vec::new(),
            labels: BTreeMap::new(),
            routing: Routing::default(),
        }
    }
}

impl Default for Check {
    /// TCP on the instance's port: a process that runs is not yet a service that serves.
    fn default() -> Check {
        Check {
            kind: CheckKind::Tcp,
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            retries: 3,
            start_period: Duration::from_secs(30),
        }
    }
}

impl Default for Restart {
    fn default() -> Restart {
        Restart {
            condition: RestartCondition::Any,
            delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(30),
            max_attempts: None,
        }
    }
}

impl Default for Stop {
    /// Docker's: SIGTERM, then 10 s.
    fn default() -> Stop {
        Stop { signal: "SIGTERM".to_string(), grace: Duration::from_secs(10) }
    }
}

impl Default for Update {
    fn default() -> Update {
        Update { parallelism: 1, order: Order::StartFirst, drain_timeout: Duration::from_secs(30) }
    }
}

impl Restart {
    /// How long to wait before the restart with this number (from 1): `delay` doubled each time, at most `max_delay`.
    pub fn pause(&self, restart: u32) -> Duration {
        let doublings = restart.saturating_sub(1).min(31);
        self.delay.saturating_mul(1 << doublings).min(self.max_delay)
    }
}

impl Order {
    pub fn as_str(self) -> &'static str {
        match self {
            Order::StartFirst => "start-first",
            Order::StopFirst => "stop-first",
        }
    }
}

impl CheckKind {
    /// The word that people see for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            CheckKind::Http { .. } => "http",
            CheckKind::Tcp => "tcp",
            CheckKind::Command { .. } => "command",
            CheckKind::Process => "process",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_between_restarts_doubles_up_to_its_cap() {
        let restart = Restart::default();
        let pauses: Vec<u128> = (1..=10).map(|n| restart.pause(n).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
        assert_eq!(restart.pause(u32::MAX), restart.max_delay);
    }
}
