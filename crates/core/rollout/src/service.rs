//! Which instances of a service to create, drain, stop and forget.
//!
//! The proven set is never reduced before the new one is proven: an instance of an old version is drained when one of
//! the current version passes in its slot (start-first), or, for services that must not run twice or asked for it,
//! one slot after the other is emptied and filled (stop-first).
//!
//! ```text
//! slot 1   v1 passing                                        v1 draining   v1 stopped
//!                       v2 planned  v2 starting  v2 passing  ...                        start-first
//!
//! slot 1   v1 passing   v1 draining  v1 stopping  v1 stopped
//!                                                            v2 planned  v2 passing     stop-first
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use adsum_catalog::ServiceState;
use adsum_model::{Health, Instance, InstanceId, Order, Phase, Service};
use adsum_routing::Holdup;

/// Ended instances of a slot that are kept to be looked at.
pub const HISTORY: usize = 5;
/// How long a draining instance goes on after its name was last answerable, if the name has been asked for.
pub const NAME_GRACE: Duration = Duration::from_secs(2);
/// How much longer than its drain time-out an instance goes on for what is in flight on it: gateways close what is left at
/// the time-out, and say so.
pub const CLOSING_GRACE: Duration = Duration::from_secs(1);

/// What the plan is made from.
pub struct Situation<'a> {
    pub state: &'a ServiceState,
    /// Whether the service's addresses have been given out to anybody within the last ten minutes.
    pub asked: bool,
    /// Who among those that route is still in the way of a draining instance's end; one without an entry has passed
    /// the barrier.
    pub held: BTreeMap<InstanceId, Held>,
    /// For how long nobody has been given a draining instance's address: since those who give addresses away know that
    /// it drains, which may be long after its commit. One without an entry is only now known to drain.
    pub hidden: BTreeMap<InstanceId, Duration>,
}

/// What keeps a draining instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub by: Vec<Holdup>,
    /// When to ask again even if nobody says anything new.
    pub rest: Duration,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub waiting_on: Vec<Waiting>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A new instance of the current version.
    Create { slot: u32, version: u32 },
    /// Out of routing, to finish what it has.
    Drain(InstanceId),
    /// End the process.
    Stop(InstanceId),
    /// Drop the record.
    Forget(InstanceId),
    /// Drop the service's own record and its versions.
    RemoveService,
}

/// What has to happen before the service is as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub slot: u32,
    pub instance: InstanceId,
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
}

/// Makes the plan. The same situation gives the same plan.
pub fn plan(situation: &Situation<'_>) -> Plan {
    let mut plan = Plan::default();
    let Some(service) = &situation.state.service else {
        situation.state.instances.iter().for_each(|instance| plan.leave(situation, instance));
        plan.forget(situation.state, 0);
        return plan;
    };
    let wanted = if service.removed { 0 } else { service.spec.replicas };
    let slots = situation.state.instances.iter().map(|instance| instance.slot).max().unwrap_or(0).max(wanted);
    let slots: Vec<Slot<'_>> = (1..=slots).map(|number| Slot::of(number, service, situation.state)).collect();
    let (kept, superfluous) = slots.split_at(wanted as usize);
    superfluous.iter().flat_map(Slot::live).for_each(|instance| plan.leave(situation, instance));
    kept.iter().for_each(|slot| plan.settle(situation, service, slot));
    plan.replace(situation, service, kept);
    let history = if service.removed { 0 } else { HISTORY };
    plan.forget(situation.state, history);
    if service.removed && situation.state.live().next().is_none() {
        plan.steps.push(Step::RemoveService);
    }
    plan
}

/// The instances of one slot, sorted by what they are to it.
struct Slot<'a> {
    number: u32,
    /// Of the current version and staying.
    current: Vec<&'a Instance>,
    /// Of an older version and in service.
    old: Vec<&'a Instance>,
    /// On their way out.
    leaving: Vec<&'a Instance>,
    /// Of the current version, ended by itself and not to be started again: done, or given up.
    ended: Option<&'a Instance>,
}

impl<'a> Slot<'a> {
    fn of(number: u32, service: &Service, state: &'a ServiceState) -> Slot<'a> {
        let mut slot = Slot { number, current: vec![], old: vec![], leaving: vec![], ended: None };
        for instance in state.slot(number).iter().map(|instance| &**instance) {
            match instance.phase {
                Phase::Failed | Phase::Complete if instance.version == service.version => {
                    slot.ended = Some(instance);
                }
                Phase::Stopped | Phase::Complete | Phase::Failed => {}
                Phase::Stopping => slot.leaving.push(instance),
                Phase::Planned | Phase::Running | Phase::Backoff if instance.health == Health::Draining => {
                    slot.leaving.push(instance);
                }
                Phase::Planned | Phase::Running | Phase::Backoff if instance.version == service.version => {
                    slot.current.push(instance);
                }
                Phase::Planned | Phase::Running | Phase::Backoff => slot.old.push(instance),
            }
        }
        slot
    }

    fn live(&self) -> impl Iterator<Item = &'a Instance> {
        [&self.current, &self.old, &self.leaving].into_iter().flatten().copied()
    }

    /// Nothing has to happen here before another slot may change: one that passes is here, or one that was not yet
    /// touched. What it replaced may still be on its way out.
    fn is_settled(&self) -> bool {
        let done = self.ended.is_some_and(|instance| instance.phase == Phase::Complete);
        let filled = done || !self.current.is_empty() || !self.old.is_empty();
        filled && self.current.iter().all(|instance| instance.is_routable())
    }
}

impl Plan {
    /// Brings a slot that has no older version in service to one instance of the current one, and lets older ones go
    /// where it passes.
    fn settle(&mut self, situation: &Situation<'_>, service: &Service, slot: &Slot<'_>) {
        slot.leaving.iter().for_each(|instance| self.leave(situation, instance));
        let Some((current, doubles)) = slot.current.split_first() else {
            if slot.old.is_empty() {
                self.fill(service, slot);
            }
            return;
        };
        doubles.iter().for_each(|instance| self.leave(situation, instance));
        if current.is_routable() || service.spec.exclusive {
            slot.old.iter().for_each(|instance| self.leave(situation, instance));
        }
        if !current.is_routable() {
            self.waiting_on.push(Waiting::on(current, Cause::of_unready(current, service)));
        }
    }

    /// Puts an instance into an empty slot.
    fn fill(&mut self, service: &Service, slot: &Slot<'_>) {
        if let Some(ended) = slot.ended {
            self.has_ended(ended);
        } else if slot.leaving.is_empty() || !service.spec.exclusive {
            self.steps.push(Step::Create { slot: slot.number, version: service.version });
        }
    }

    /// Begins to replace older versions, in as many slots at a time as the update's parallelism allows. Slots whose
    /// instance does not serve anyway come first: they cost nothing.
    fn replace(&mut self, situation: &Situation<'_>, service: &Service, slots: &[Slot<'_>]) {
        let unsettled = slots.iter().filter(|slot| !slot.is_settled()).count();
        let room = match service.spec.update.parallelism {
            0 => usize::MAX,
            n => (n as usize).saturating_sub(unsettled),
        };
        let mut outdated: Vec<&Slot<'_>> =
            slots.iter().filter(|slot| slot.current.is_empty() && !slot.old.is_empty()).collect();
        outdated.sort_by_key(|slot| slot.old.iter().any(|instance| instance.is_routable()));
        let stop_first = service.spec.exclusive || service.spec.update.order == Order::StopFirst;
        for slot in outdated.into_iter().take(room) {
            if let Some(ended) = slot.ended {
                self.has_ended(ended);
            } else if stop_first {
                slot.old.iter().for_each(|instance| self.leave(situation, instance));
            } else {
                self.steps.push(Step::Create { slot: slot.number, version: service.version });
            }
        }
    }

    /// An instance that is not to be started again: one that was given up is waited for, in vain before a new version.
    fn has_ended(&mut self, instance: &Instance) {
        if instance.phase == Phase::Failed {
            self.waiting_on.push(Waiting::on(instance, Cause::GivenUp { last: instance.reason.clone() }));
        }
    }

    /// Takes an instance the next step out.
    fn leave(&mut self, situation: &Situation<'_>, instance: &Instance) {
        let id = instance.id.clone();
        match (instance.phase, instance.health) {
            (Phase::Stopped | Phase::Complete | Phase::Failed, _) => {}
            (Phase::Stopping, _) => self.waiting_on.push(Waiting::on(instance, Cause::Exit)),
            (Phase::Running, Health::Draining) => match situation.keeps(instance) {
                None => self.steps.push(Step::Stop(id)),
                Some(cause) => self.waiting_on.push(Waiting::on(instance, cause)),
            },
            // It never had traffic, or has no process to give it to.
            (Phase::Running, Health::Starting) | (Phase::Planned | Phase::Backoff, _) => {
                self.steps.push(Step::Stop(id));
            }
            (Phase::Running, Health::Passing | Health::Warning | Health::Critical | Health::Maintenance) => {
                self.steps.push(Step::Drain(id));
            }
        }
    }

    /// Drops the records of ended instances beyond the newest `kept` of each slot.
    fn forget(&mut self, state: &ServiceState, kept: usize) {
        for instance in state.instances.iter().filter(|instance| instance.phase.is_final()) {
            let ended = state.slot(instance.slot).iter().filter(|other| other.phase.is_final());
            let age = |instance: &Instance| (instance.since, instance.id.clone());
            let newer = ended.filter(|other| age(other) > age(instance)).count();
            if newer >= kept {
                self.steps.push(Step::Forget(instance.id.clone()));
            }
        }
    }
}

impl Situation<'_> {
    /// Why a draining instance is not to be stopped yet.
    fn keeps(&self, instance: &Instance) -> Option<Cause> {
        if let Some(held) = self.held.get(&instance.id) {
            return Some(Cause::Barrier(held.clone()));
        }
        let rest = self.name_rest(instance);
        (!rest.is_zero()).then_some(Cause::Drain { rest })
    }

    /// How long a draining instance still has to go on: those who were given its address have to be done with it.
    fn name_rest(&self, instance: &Instance) -> Duration {
        if !self.asked {
            return Duration::ZERO;
        }
        NAME_GRACE.saturating_sub(self.hidden.get(&instance.id).copied().unwrap_or_default())
    }
}

impl Waiting {
    fn on(instance: &Instance, on: Cause) -> Waiting {
        Waiting { slot: instance.slot, instance: instance.id.clone(), on }
    }
}

impl Cause {
    fn of_unready(instance: &Instance, service: &Service) -> Cause {
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
        write!(f, "slot {} ({}): {}", self.slot, self.instance, self.on)
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

/// How long a draining instance may keep what is in flight on it, from `tick` on.
pub fn drain_rest(instance: &Instance, service: Option<&Service>, tick: u64) -> Duration {
    let update = service.map(|service| service.spec.update.clone()).unwrap_or_default();
    let passed = Duration::from_millis(tick.saturating_sub(instance.since));
    (update.drain_timeout + CLOSING_GRACE).saturating_sub(passed)
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
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
