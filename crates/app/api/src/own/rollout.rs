//! The JSON of a rollout: as it stands in a history and beside its service, and as a whole.

use adsum_model::Name;
use adsum_model::rollout::{Cause, Done, DoneStep, Failure, Quantiles, Receipt, Rollout};
use serde::Serialize;

use spent::Spent;

mod spent;

/// One of a history.
#[derive(Serialize)]
pub(crate) struct Brief<'a> {
    number: u32,
    cause: &'static str,
    /// Of a way back: the rollout that it takes back, and whether that was without anybody asking.
    of: Option<u32>,
    automatic: bool,
    /// Versions.
    from: Option<u32>,
    to: u32,
    stage: &'static str,
    /// Whether nothing more will come of it.
    ended: bool,
    /// Why it stands where it stands.
    reason: Option<&'a str>,
    /// Whether a person has it stand still, and not a failure.
    by_hand: bool,
    failures: usize,
    /// Unix milliseconds, both.
    began_at: u64,
    ended_at: Option<u64>,
    receipt: Option<Shape>,
}

/// All there is to say of it.
#[derive(Serialize)]
pub(crate) struct Whole<'a> {
    service: &'a Name,
    #[serde(flatten)]
    brief: Brief<'a>,
    /// Instances of the version to come, each once.
    failed_instances: Vec<FailureShape<'a>>,
    log: Vec<DoneShape<'a>>,
    /// What its time went to, in milliseconds.
    spent: Spent,
    index: u64,
}

/// A receipt, with times in microseconds.
#[derive(Serialize)]
struct Shape {
    counted_from: u64,
    requests: u64,
    failed: u64,
    retried: u64,
    held: u64,
    cut: u64,
    before: Latency,
    during: Latency,
}

#[derive(Serialize)]
struct Latency {
    p50: u64,
    p99: u64,
}

#[derive(Serialize)]
struct FailureShape<'a> {
    instance: &'a str,
    /// `web.1`.
    name: String,
    reason: &'a str,
    time: u64,
}

#[derive(Serialize)]
struct DoneShape<'a> {
    time: u64,
    instance: &'a str,
    name: String,
    step: &'static str,
}

impl<'a> Brief<'a> {
    pub(crate) fn of(rollout: &'a Rollout) -> Brief<'a> {
        let (of, automatic) = match &rollout.cause {
            Cause::RolledBack { of, automatic } => (Some(*of), *automatic),
            Cause::Created | Cause::Updated | Cause::Restarted => (None, false),
        };
        Brief {
            number: rollout.number,
            cause: cause(&rollout.cause),
            of,
            automatic,
            from: rollout.from,
            to: rollout.to,
            stage: rollout.stage.as_str(),
            ended: rollout.stage.is_final(),
            reason: rollout.reason.as_deref(),
            by_hand: rollout.by_hand,
            failures: rollout.failures.len(),
            began_at: rollout.began,
            ended_at: rollout.ended,
            receipt: rollout.receipt.as_ref().map(Shape::of),
        }
    }
}

impl<'a> Whole<'a> {
    pub(crate) fn of(rollout: &'a Rollout, now: u64, index: u64) -> Whole<'a> {
        let name = |slot: u32| format!("{}.{slot}", rollout.service);
        Whole {
            service: &rollout.service,
            brief: Brief::of(rollout),
            failed_instances: rollout.failures.iter().map(|it| FailureShape::of(it, name(it.slot))).collect(),
            log: rollout.log.iter().map(|it| DoneShape::of(it, name(it.slot))).collect(),
            spent: Spent::of(rollout, now),
            index,
        }
    }
}

impl Shape {
    fn of(receipt: &Receipt) -> Shape {
        Shape {
            counted_from: receipt.counted_from,
            requests: receipt.requests,
            failed: receipt.failed,
            retried: receipt.retried,
            held: receipt.held,
            cut: receipt.cut,
            before: Latency::of(receipt.before),
            during: Latency::of(receipt.during),
        }
    }
}

impl Latency {
    fn of(quantiles: Quantiles) -> Latency {
        Latency { p50: quantiles.p50, p99: quantiles.p99 }
    }
}

impl<'a> FailureShape<'a> {
    fn of(failure: &'a Failure, name: String) -> FailureShape<'a> {
        let (instance, reason) = (failure.instance.as_str(), failure.reason.as_str());
        FailureShape { instance, name, reason, time: failure.time }
    }
}

impl<'a> DoneShape<'a> {
    fn of(done: &'a Done, name: String) -> DoneShape<'a> {
        DoneShape { time: done.time, instance: done.instance.as_str(), name, step: step(done.step) }
    }
}

pub(crate) fn cause(cause: &Cause) -> &'static str {
    match cause {
        Cause::Created => "created",
        Cause::Updated => "updated",
        Cause::Restarted => "restarted",
        Cause::RolledBack { .. } => "rolled-back",
    }
}

fn step(step: DoneStep) -> &'static str {
    match step {
        DoneStep::Created => "created",
        DoneStep::Passed => "passed",
        DoneStep::Draining => "draining",
        DoneStep::Stopping => "stopping",
        DoneStep::Ended => "ended",
        DoneStep::Failed => "failed",
    }
}
