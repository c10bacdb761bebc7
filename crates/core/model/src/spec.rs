//! What is wanted of a service.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Limits, Name, Routing, Ulimits};

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
    /// How the way back goes.
    #[serde(default)]
    pub rollback: Rollback,
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Program and arguments; the program is looked up in `PATH` when it has no slash.
    pub command: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// The agent's own when none is given.
    pub workdir: Option<String>,
    /// `UID|NAME[:GID|GROUP]`; the agent's own when none is given.
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub ulimits: Ulimits,
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
    /// One that has stayed up for so long begins to count anew, none if that is nothing; `max_delay` when none.
    #[serde(default)]
    pub window: Option<Duration>,
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
    /// Between a batch that is in place and the next one.
    #[serde(default)]
    pub delay: Duration,
    /// How long a new instance is watched from its first success on. The first batch takes nothing of the old away
    /// before it has stayed well for that long.
    #[serde(default = "monitor")]
    pub monitor: Duration,
    /// Of the instances to be replaced, how many may fail, in 0.01 %, before `failure_action` is taken.
    #[serde(default)]
    pub max_failure_ratio: u32,
    #[serde(default)]
    pub failure_action: FailureAction,
}

/// The same for the way back, which never goes back itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    pub parallelism: u32,
    pub order: Order,
    pub delay: Duration,
    pub monitor: Duration,
    /// In 0.01 %.
    pub max_failure_ratio: u32,
    /// `Rollback` is not to be wished here.
    pub failure_action: FailureAction,
}

/// What to do when too many new instances have failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureAction {
    /// Stand still and wait for a person.
    Pause,
    Continue,
    /// Back to the version that was proven before.
    #[default]
    Rollback,
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
            task: Task { command, ..Task::default() },
            check: Check::default(),
            restart: Restart::default(),
            stop: Stop::default(),
            update: Update::default(),
            rollback: Rollback::default(),
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
            window: None,
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
    /// Docker's, but start-first, and back when it fails.
    fn default() -> Update {
        Update {
            parallelism: 1,
            order: Order::StartFirst,
            drain_timeout: Duration::from_secs(30),
            delay: Duration::ZERO,
            monitor: monitor(),
            max_failure_ratio: 0,
            failure_action: FailureAction::Rollback,
        }
    }
}

impl Default for Rollback {
    /// All at once: what is gone back to has proven itself, and what is left is known to be bad.
    fn default() -> Rollback {
        Rollback {
            parallelism: 0,
            order: Order::StartFirst,
            delay: Duration::ZERO,
            monitor: monitor(),
            max_failure_ratio: 0,
            failure_action: FailureAction::Pause,
        }
    }
}

/// Docker's.
fn monitor() -> Duration {
    Duration::from_secs(5)
}

impl Restart {
    /// How long to wait before the restart with this number (from 1): `delay` doubled each time, at most `max_delay`.
    pub fn pause(&self, restart: u32) -> Duration {
        let doublings = restart.saturating_sub(1).min(31);
        self.delay.saturating_mul(1 << doublings).min(self.max_delay)
    }

    /// Whether the end of an instance that was up for so long is the first of a new row.
    pub fn begins_anew(&self, up: Duration) -> bool {
        let window = self.window.unwrap_or(self.max_delay);
        !window.is_zero() && up >= window
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

impl FailureAction {
    pub fn as_str(self) -> &'static str {
        match self {
            FailureAction::Pause => "pause",
            FailureAction::Continue => "continue",
            FailureAction::Rollback => "rollback",
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
    use crate::{Resource, Ulimit};

    #[test]
    fn a_task_of_before_there_were_limits_is_read_and_a_new_one_reads_back() {
        let old = r#"{"command":["serve"],"env":{"A":"1"},"workdir":null}"#;
        let mut task: Task = serde_json::from_str(old).unwrap();
        assert_eq!((&task.user, task.limits, task.ulimits.len()), (&None, Limits::default(), 0));
        task.user = Some("nobody".to_string());
        task.limits = Limits { memory: Some(1 << 28), cpu: Some(500), pids: Some(100) };
        task.ulimits.insert(Resource::Nofile, Ulimit { soft: 1024, hard: Ulimit::NONE });
        let written = serde_json::to_string(&task).unwrap();
        assert_eq!(serde_json::from_str::<Task>(&written).unwrap(), task);
        let old = r#"{"condition":"any","delay":{"secs":1,"nanos":0},"max_delay":{"secs":9,"nanos":0},"max_attempts":3}"#;
        let restart: Restart = serde_json::from_str(old).unwrap();
        assert_eq!(restart.window, None);
    }

    #[test]
    fn a_row_of_ends_is_over_after_the_window_or_never() {
        #[track_caller]
        fn check(window: Option<u64>, up: u64, expect: bool) {
            let window = window.map(Duration::from_secs);
            let restart = Restart { window, ..Restart::default() };
            assert_eq!(restart.begins_anew(Duration::from_secs(up)), expect);
        }
        check(None, 29, false);
        check(None, 30, true);
        check(Some(5), 5, true);
        check(Some(5), 4, false);
        check(Some(0), 1_000_000, false);
    }

    #[test]
    fn the_pause_between_restarts_doubles_up_to_its_cap() {
        let restart = Restart::default();
        let pauses: Vec<u128> = (1..=10).map(|n| restart.pause(n).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
        assert_eq!(restart.pause(u32::MAX), restart.max_delay);
    }
}
