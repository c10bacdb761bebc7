//! What has to happen before a service is as wanted, in words for people.

use std::fmt;
use std::time::Duration;

use adsum_model::{Instance, InstanceId, Phase, Service};
use adsum_routing::Holdup;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// None when the whole service waits.
    pub slot: Option<u32>,
    /// None when the slot has yet to get one.
    pub instance: Option<InstanceId>,
    pub on: Cause,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The process has yet to be started.
    Start,
    /// The check has yet to pass. With what it found last.
    Check { kind: &'static str, last: Option<String> },
    /// It ended by itself and is started again after a pause. With how it ended.
    Restart { last: Option<String> },
    /// It has ended too often. With how it ended.
    GivenUp { last: Option<String> },
    /// It gets no new requests, and those who route have yet to let go of it.
    Barrier(Held),
    /// Those who were given its address have yet to let go of it.
    Drain { rest: Duration },
    /// It has been told to end.
    Exit,
    /// It serves, and has to go on doing so for a while.
    Monitor { rest: Duration },
    /// Too few requests have come to judge the version, and of these many failed.
    Doubt { rest: Duration },
    /// A batch is in place, and the next one has to wait.
    Delay { rest: Duration },
    /// The rollout stands still until somebody resumes it or takes it back.
    Paused,
    /// It is out of use, and one of an older version serves in its place.
    Maintenance,
    /// No node takes instances.
    Node,
}

/// What keeps an instance that gets nothing new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub by: Vec<Holdup>,
    /// When to ask again even if nobody says anything new.
    pub rest: Duration,
}

impl Waiting {
    pub(super) fn on(instance: &Instance, on: Cause) -> Waiting {
        Waiting { slot: Some(instance.slot), instance: Some(instance.id.clone()), on }
    }

    pub(super) fn in_slot(slot: u32, on: Cause) -> Waiting {
        Waiting { slot: Some(slot), instance: None, on }
    }

    pub(super) fn on_all(on: Cause) -> Waiting {
        Waiting { slot: None, instance: None, on }
    }
}

impl Cause {
    pub(super) fn of_unready(instance: &Instance, service: &Service) -> Cause {
        let last = instance.reason.clone();
        match instance.phase {
            Phase::Planned => Cause::Start,
            Phase::Backoff => Cause::Restart { last },
            Phase::Running | Phase::Stopping | Phase::Stopped | Phase::Complete | Phase::Failed => {
                Cause::Check { kind: service.spec.check.kind.as_str(), last }
            }
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.slot, &self.instance) {
            (Some(slot), Some(instance)) => write!(f, "slot {slot} ({instance}): {}", self.on),
            (Some(slot), None) => write!(f, "slot {slot}: {}", self.on),
            (None, _) => write!(f, "{}", self.on),
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("those who route to let go of it: ")?;
        for (at, holdup) in self.by.iter().enumerate() {
            let between = if at == 0 { "" } else { "; " };
            write!(f, "{between}{holdup}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because = |last: &Option<String>| {
            let last = last.as_ref().filter(|last| !last.is_empty());
            last.map_or(String::new(), |last| format!(": {last}"))
        };
        match self {
            Cause::Start => write!(f, "its process to be started"),
            Cause::Check { kind, last } => write!(f, "its {kind} check to pass{}", because(last)),
            Cause::Restart { last } => write!(f, "its restart after a pause{}", because(last)),
            Cause::GivenUp { last } => {
                write!(f, "a new version: it was given up{}", because(last))
            }
            Cause::Barrier(held) => held.fmt(f),
            Cause::Drain { rest } => {
                write!(f, "those who were given its address to let go of it ({} ms)", rest.as_millis())
            }
            Cause::Exit => write!(f, "its process to end"),
            Cause::Monitor { rest } => {
                write!(f, "it to stay well for {:.1} s more", rest.as_secs_f64())
            }
            Cause::Doubt { rest } => {
                let rest = rest.as_secs_f64();
                write!(
                    f,
                    "more requests to judge the version by, as its first ones failed ({rest:.1} s at most)"
                )
            }
            Cause::Delay { rest } => {
                write!(f, "the delay between two batches ({:.1} s)", rest.as_secs_f64())
            }
            Cause::Paused => write!(f, "somebody to resume the rollout or to take it back: it stands still"),
            Cause::Maintenance => write!(f, "somebody to put it back into use: it is in maintenance"),
            Cause::Node => write!(f, "a node that takes instances: 'node activate' makes one do so"),
        }
    }
}
