//! The records that the system space keeps: nodes, services, versions, instances, events.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{Check, Health, InstanceId, Name, Spec, Task, Upstream};

/// A machine that runs instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub name: Name,
    /// Where its instances are reached.
    pub address: IpAddr,
    #[serde(default)]
    pub availability: Availability,
}

/// Whether a node runs instances (Docker's words).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Availability {
    #[default]
    Active,
    /// Those that it has leave by the acknowledged drain, and none comes.
    Drain,
}

/// A service as it is wanted now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub spec: Spec,
    /// The version that `spec` stands for. Versions count from 1.
    pub version: u32,
    /// The highest number that a version ever had: going back does not give a number twice.
    #[serde(default)]
    pub newest_version: u32,
    /// The rollout that is under way, or the last one. 0 in records of before there were any.
    #[serde(default)]
    pub rollout: u32,
    /// Grows with every wish. A plan says of which it is, and a step of an older one is not carried out.
    #[serde(default)]
    pub generation: u64,
    /// Taken out of routing by a person, with the reason.
    #[serde(default)]
    pub maintenance: Option<String>,
    /// The share of each version in its requests, in 0.01 %; without any, each instance has the same share.
    #[serde(default)]
    pub weights: BTreeMap<u32, u32>,
    /// Being removed: no instance is wanted any more, the record goes when the last one has gone.
    pub removed: bool,
    /// Unix milliseconds.
    pub created: u64,
}

/// What a service's instances of one version run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub service: Name,
    pub number: u32,
    pub task: Task,
    pub check: Check,
    /// What its instances speak.
    #[serde(default)]
    pub upstream: Upstream,
    /// Unix milliseconds.
    pub created: u64,
}

/// One running copy of one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub id: InstanceId,
    pub service: Name,
    pub version: u32,
    /// From 1. A slot has one instance at a time, two for a moment while it is replaced start-first.
    pub slot: u32,
    pub node: Name,
    pub endpoint: SocketAddr,
    pub phase: Phase,
    /// Meaningful while the process runs; says whether it gets traffic.
    pub health: Health,
    /// Whether the check has passed since the process was started.
    #[serde(default)]
    pub proven: bool,
    /// Taken out of routing by a person, with the reason.
    #[serde(default)]
    pub maintenance: Option<String>,
    /// When its check passed for the first time of all, as a tick: a rollout watches it for a while from then on.
    #[serde(default)]
    pub passed: Option<u64>,
    pub process: Option<Process>,
    /// How often it was started again.
    pub restarts: u32,
    /// How often in a row it ended without having stayed up for long.
    pub streak: u32,
    /// Drawn when its process ended last, so that many that ended together are not started together.
    #[serde(default)]
    pub lot: u32,
    /// How its process ended last.
    #[serde(default)]
    pub ending: Option<Ending>,
    /// What went wrong last, in words for people.
    pub reason: Option<String>,
    /// Unix milliseconds, for people.
    pub created: u64,
    /// The same moment as a tick of the keyspace's clock, for decisions: wall clocks jump. 0 in records of before it was
    /// written down.
    #[serde(default)]
    pub born: u64,
    /// Of the last change of phase or health. Unix milliseconds, for people.
    pub changed: u64,
    /// The same moment as a tick.
    pub since: u64,
}

/// Where a new instance runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Berth {
    pub id: InstanceId,
    pub node: Name,
    pub endpoint: SocketAddr,
}

/// Where the process of an instance is in its life.
///
/// ```text
/// Planned -> Running -> Stopping -> Stopped
///               |  ^
///               v  |
///             Backoff -> Failed | Complete
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Committed with its port; not started yet.
    Planned,
    Running,
    /// Ended by itself; to be started again after a pause.
    Backoff,
    /// Told to end.
    Stopping,
    /// Ended as wished.
    Stopped,
    /// Ended by itself, without a fault, and is not to be started again.
    Complete,
    /// Ended by itself and given up.
    Failed,
}

/// How a process ended that nobody had told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It could not be started.
    NotStarted,
    /// With exit code 0.
    Success,
    /// In any other way.
    Failure,
}

/// What tells a process from every other that had or will have its pid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub pid: u32,
    /// Clock ticks since boot, field 22 of `/proc/PID/stat`.
    pub start_time: u64,
    pub boot_id: String,
}

/// One line of the event log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Unix milliseconds.
    pub time: u64,
    /// What happened, a word for programs: `service-created`, `instance-passing`, `instance-exited`...
    pub kind: String,
    pub service: Option<Name>,
    pub instance: Option<InstanceId>,
    /// A sentence for people.
    pub message: String,
}

impl Phase {
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Planned => "planned",
            Phase::Running => "running",
            Phase::Backoff => "backoff",
            Phase::Stopping => "stopping",
            Phase::Stopped => "stopped",
            Phase::Complete => "complete",
            Phase::Failed => "failed",
        }
    }

    /// Whether nothing more will come of the instance.
    pub fn is_final(self) -> bool {
        matches!(self, Phase::Stopped | Phase::Complete | Phase::Failed)
    }
}

impl Service {
    /// One that has just been wished for.
    pub fn new(spec: Spec, version: u32, created: u64) -> Service {
        Service {
            spec,
            version,
            newest_version: version,
            rollout: 0,
            generation: 0,
            maintenance: None,
            weights: BTreeMap::new(),
            removed: false,
            created,
        }
    }
}

impl Node {
    pub fn new(name: Name, address: IpAddr) -> Node {
        Node { name, address, availability: Availability::Active }
    }
}

impl Instance {
    /// One that has not been started: the first of version 1, unless something else is said of it.
    pub fn planned(service: Name, berth: Berth) -> Instance {
        let Berth { id, node, endpoint } = berth;
        Instance {
            id,
            service,
            version: 1,
            slot: 1,
            node,
            endpoint,
            phase: Phase::Planned,
            health: Health::Starting,
            proven: false,
            maintenance: None,
            passed: None,
            process: None,
            restarts: 0,
            streak: 0,
            lot: 0,
            ending: None,
            reason: None,
            created: 0,
            born: 0,
            changed: 0,
            since: 0,
        }
    }

    /// As people call it: `chirp-worker.2`.
    pub fn title(&self) -> String {
        format!("{}.{}", self.service, self.slot)
    }

    /// What of it decides where requests go.
    pub fn routing(&self) -> (&Name, u32, SocketAddr, Phase, Health, bool) {
        (&self.service, self.version, self.endpoint, self.phase, self.health, self.proven)
    }

    /// Whether it gets traffic and is found by name.
    pub fn is_routable(&self) -> bool {
        self.phase == Phase::Running && self.health == Health::Passing
    }
}
