//! The way of a service from one version to the next, kept as history.

use serde::{Deserialize, Serialize};

use crate::{InstanceId, Name};

/// One rollout of a service. A service has at most one that has not ended, the newest.
///
/// ```text
/// Rolling <-> Paused
///    |  \        \
///    |   `--------`--> RolledBack | Superseded | Removed
///    v
/// Verifying --> Complete
/// ```
///
/// Going back is a rollout of its own, whose cause names the one that it takes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    pub service: Name,
    /// From 1, without a gap.
    pub number: u32,
    pub cause: Cause,
    /// The version that was proven before; none for the first.
    pub from: Option<u32>,
    pub to: u32,
    pub stage: Stage,
    /// Why it stands where it stands, in words for people.
    pub reason: Option<String>,
    /// Whether a person has it stand still, and not a failure.
    #[serde(default)]
    pub by_hand: bool,
    /// Instances of `to` that have failed since it began, each once, the first ones.
    pub failures: Vec<Failure>,
    /// How many of them have been decided on: those that come while a person has it stand still are when it goes on.
    #[serde(default)]
    pub answered: u32,
    /// What was done, in order; the first ones of very many.
    pub log: Vec<Done>,
    /// Unix milliseconds.
    pub began: u64,
    /// The same moment as a tick of the keyspace's clock, for decisions.
    pub tick: u64,
    pub ended: Option<u64>,
    /// Of the last change of the stage, as a tick.
    pub since: u64,
    /// When the first batch had stayed well for as long as it is watched, as a tick. Nothing of the old is taken away
    /// before.
    pub proven: Option<u64>,
    /// What the service's callers had of it.
    pub receipt: Option<Receipt>,
}

/// Why a rollout was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    Created,
    Updated,
    /// The same again, as a new version.
    Restarted,
    /// Back to an earlier version, by hand, since the rollout with this number failed, or to take it back.
    RolledBack {
        of: u32,
        automatic: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Rolling,
    /// By a person, or after a failure: nothing further is replaced until it is resumed.
    Paused,
    /// All is replaced, and watched for as long as the monitor says.
    Verifying,
    Complete,
    /// It was taken back, by the rollout after it.
    RolledBack,
    /// A newer wish came before its end.
    Superseded,
    /// The service was removed before its end.
    Removed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub instance: InstanceId,
    pub slot: u32,
    pub reason: String,
    /// Unix milliseconds.
    pub time: u64,
}

/// One step that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Unix milliseconds.
    pub time: u64,
    pub slot: u32,
    pub instance: InstanceId,
    pub step: DoneStep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoneStep {
    Created,
    Passed,
    Draining,
    /// Everybody who routes has let go of it, and it was told to end.
    Stopping,
    Ended,
    Failed,
}

/// What the callers of a service had of a rollout, as the gateways counted it from its beginning to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Unix milliseconds: later than the beginning of a rollout during which the agent was started again.
    pub counted_from: u64,
    pub requests: u64,
    /// Answered with a technical failure, whoever is to blame.
    pub failed: u64,
    /// Tries beyond the first.
    pub retried: u64,
    /// Requests that waited for an instance.
    pub held: u64,
    /// Upgraded connections and event streams that were cut at the drain's deadline.
    pub cut: u64,
    /// Median and 99th percentile of the answers' time, as bounds of the histogram's buckets: from the agent's start to
    /// the beginning, and from then on to the end.
    pub before: Quantiles,
    pub during: Quantiles,
}

/// Microseconds; 0 where nothing was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    pub p50: u64,
    pub p99: u64,
}

impl Stage {
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Rolling => "rolling",
            Stage::Paused => "paused",
            Stage::Verifying => "verifying",
            Stage::Complete => "complete",
            Stage::RolledBack => "rolled-back",
            Stage::Superseded => "superseded",
            Stage::Removed => "removed",
        }
    }

    /// Whether nothing more will come of it.
    pub fn is_final(self) -> bool {
        match self {
            Stage::Rolling | Stage::Paused | Stage::Verifying => false,
            Stage::Complete | Stage::RolledBack | Stage::Superseded | Stage::Removed => true,
        }
    }
}
