//! Which instances of a service to create, drain, stop and forget, and how far its rollout is.
//!
//! The proven set is never reduced before the new one is proven: an instance of an old version is drained when one of
//! the current version passes in its slot (start-first) and the first batch has stayed well for a while, or, for
//! services that must not run twice or asked for it, one slot after the other is emptied and filled (stop-first).
//!
//! ```text
//! slot 1   v1 passing                                                     v1 draining   v1 stopped
//!                       v2 planned  v2 starting  v2 passing, watched  ...                           start-first
//!
//! slot 1   v1 passing   v1 draining  v1 stopping  v1 stopped
//!                                                            v2 planned  v2 passing, watched        stop-first
//! ```
//!
//! - [`slot`]: what a slot has, sorted by what it is to it.
//! - [`stage`]: what the instances and the gateways' counts mean for the rollout.
//! - [`batch`]: in which slots to begin next.
//! - [`leaving`]: the way out of one instance.
//! - [`history`]: what is kept of what is over.
//! - [`verdict`]: whether a version fails its callers.
//! - [`waiting`]: what has to happen before the service is as wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use adsum_catalog::{Catalog, ServiceState};
use adsum_model::rollout::Rollout;
use adsum_model::{Availability, Instance, InstanceId, Name, Service};

mod batch;
mod history;
mod leaving;
mod pace;
mod slot;
mod stage;
mod verdict;
mod waiting;

pub(crate) use pace::Pace;
pub(crate) use slot::Slot;
pub(crate) use stage::note;

pub use history::HISTORY;
pub use leaving::{CLOSING_GRACE, NAME_GRACE, drain_rest};
pub use stage::{Advance, LOGGED};
pub use verdict::{Counted, Tally};
pub use waiting::{Cause, Held, Waiting};

/// What the plan is made from.
#[derive(Clone)]
pub struct Situation<'a> {
    pub state: &'a ServiceState,
    /// The one that is under way, or the last one.
    pub rollout: Option<&'a Rollout>,
    /// The nodes that instances leave.
    pub drained: BTreeSet<Name>,
    /// Whether any node takes instances.
    pub takes: bool,
    /// Of the service, on record, and of no use to anybody.
    pub spent_versions: Vec<u32>,
    /// On the keyspace's clock, in milliseconds.
    pub tick: u64,
    /// Whether the service's addresses have been given out to anybody within the last ten minutes.
    pub asked: bool,
    /// Who among those that route is still in the way of an instance that gets nothing new; one without an entry has
    /// passed the barrier.
    pub held: BTreeMap<InstanceId, Held>,
    /// For how long nobody has been given a draining instance's address: since those who give addresses away know that
    /// it drains, which may be long after its commit. One without an entry is only now known to drain.
    pub hidden: BTreeMap<InstanceId, Duration>,
    /// What the gateways have counted since the rollout began.
    pub counted: Option<Counted>,
    /// The last line of output of instances that are not well, for reasons.
    pub last_words: BTreeMap<InstanceId, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Of the wish that it is for; none when the service's record has gone. It is not carried out for another.
    pub generation: Option<u64>,
    pub steps: Vec<Step>,
    pub waiting_on: Vec<Waiting>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write down how far the rollout is.
    Advance(Advance),
    /// A new instance.
    Create { slot: u32, version: u32 },
    /// Out of routing, to finish what it has.
    Drain(InstanceId),
    /// End the process.
    Stop(InstanceId),
    /// Drop the record.
    Forget(InstanceId),
    /// Drop the record of a version that nobody names any more.
    ForgetVersion(u32),
    /// Drop the service's own record, its versions and its rollouts.
    RemoveService,
}

/// Makes the plan. The same situation gives the same plan.
pub fn plan(situation: &Situation<'_>) -> Plan {
    let mut plan = Plan::default();
    let Some(service) = &situation.state.service else {
        situation.state.instances.iter().for_each(|instance| plan.leave(situation, instance));
        plan.forget(situation.state, 0);
        return plan;
    };
    plan.generation = Some(service.generation);
    let rollout = plan.advance(situation, service);
    if plan.goes_back() {
        // What follows is planned from the record that it leaves.
        return plan;
    }
    plan.settle_all(situation, service, rollout.as_ref());
    plan.forget(situation.state, if service.removed { 0 } else { HISTORY });
    plan.steps.extend(situation.spent_versions.iter().map(|version| Step::ForgetVersion(*version)));
    if service.removed && situation.state.live().next().is_none() {
        plan.steps.push(Step::RemoveService);
    }
    plan
}

impl Plan {
    fn goes_back(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Advance(Advance::RollBack { .. })))
    }

    /// Brings every slot a step on.
    fn settle_all(&mut self, situation: &Situation<'_>, service: &Service, rollout: Option<&Rollout>) {
        let slots = situation.slots(service, rollout);
        let (kept, superfluous) = slots.split_at(situation.wanted() as usize);
        superfluous.iter().flat_map(Slot::live).for_each(|instance| self.leave(situation, instance));
        let pace = Pace::of(service, rollout);
        kept.iter().for_each(|slot| self.settle(situation, &pace, slot));
        self.replace(situation, &pace, kept);
        self.watch(situation, &pace, kept);
    }

    /// Brings a slot that has no older version in service to one instance of the current one, and lets older ones go
    /// where it serves and is proven.
    fn settle(&mut self, situation: &Situation<'_>, pace: &Pace<'_>, slot: &Slot<'_>) {
        slot.leaving.iter().for_each(|instance| self.leave(situation, instance));
        slot.maintained().for_each(|instance| self.maintain(situation, instance));
        self.evacuate(situation, pace, slot);
        if slot.is_empty() {
            return self.fill(situation, pace, slot);
        }
        let (serving, doubles) =
            slot.current.split_first().map_or((None, &[][..]), |(one, rest)| (Some(*one), rest));
        doubles.iter().for_each(|instance| self.leave(situation, instance));
        let goes_on = pace.proven && !pace.stands_still;
        let makes_way = |old: &Instance| match serving {
            Some(new) if pace.exclusive => new.id != old.id,
            // Out of use by a person: what serves does so until it is back.
            Some(new) if is_maintained(new) => goes_on && !old.is_routable(),
            // One that has failed before has to show that it stays.
            Some(new) if pace.has_failed(new) => goes_on && pace.is_settled(new, situation.tick),
            Some(new) => goes_on && new.is_routable(),
            None => goes_on && slot.is_done(),
        };
        if slot.old.iter().all(|old| makes_way(old)) {
            slot.old.iter().for_each(|instance| self.leave(situation, instance));
        } else {
            slot.superseded(pace).for_each(|instance| self.leave(situation, instance));
        }
        if let Some(new) = serving.filter(|new| is_maintained(new) && !slot.old.is_empty()) {
            self.waiting_on.push(Waiting::on(new, Cause::Maintenance));
        }
        if let Some(instance) = serving.filter(|instance| !instance.is_routable() && !is_maintained(instance))
        {
            self.waiting_on.push(Waiting::on(instance, Cause::of_unready(instance, pace.service)));
        }
    }

    /// Moves what is on a node that is being emptied, as soon as something else serves in its place.
    fn evacuate(&mut self, situation: &Situation<'_>, pace: &Pace<'_>, slot: &Slot<'_>) {
        if slot.drained.is_empty() {
            return;
        }
        let successor = slot.current.iter().chain(&slot.old).next();
        let goes_first = pace.is_stop_first() || !situation.takes;
        if goes_first || successor.is_some_and(|instance| instance.is_routable()) {
            slot.drained.iter().for_each(|instance| self.leave(situation, instance));
        } else if successor.is_none() {
            self.steps.push(Step::Create { slot: slot.number, version: pace.version_for(slot) });
        }
    }

    /// Puts an instance into an empty slot.
    fn fill(&mut self, situation: &Situation<'_>, pace: &Pace<'_>, slot: &Slot<'_>) {
        if let Some(ended) = slot.ended {
            self.has_ended(ended);
        } else if !situation.takes {
            self.waiting_on.push(Waiting::in_slot(slot.number, Cause::Node));
        } else if slot.leaving.is_empty() || !pace.is_stop_first() {
            self.steps.push(Step::Create { slot: slot.number, version: pace.version_for(slot) });
        }
    }

    /// An instance that is not to be started again: one that was given up is waited for, in vain before a new version.
    fn has_ended(&mut self, instance: &Instance) {
        if instance.phase == adsum_model::Phase::Failed {
            self.waiting_on.push(Waiting::on(instance, Cause::GivenUp { last: instance.reason.clone() }));
        }
    }
}

impl<'a> Situation<'a> {
    /// As the catalog has it, with nobody who has asked for the service, nothing in flight and nothing counted.
    pub fn of(catalog: &'a Catalog, name: &'a Name, state: &'a ServiceState, tick: u64) -> Situation<'a> {
        let number = state.service.as_ref().map_or(0, |service| service.rollout);
        let drained = |node: &&std::sync::Arc<adsum_model::Node>| node.availability == Availability::Drain;
        Situation {
            rollout: catalog.rollout(name, number).map(AsRef::as_ref),
            drained: catalog.nodes().filter(drained).map(|node| node.name.clone()).collect(),
            takes: catalog.nodes().any(|node| node.availability == Availability::Active),
            spent_versions: history::spent_versions(catalog, name, state),
            ..Situation::new(state, tick)
        }
    }

    /// Of a service without a rollout, on a node that takes instances.
    pub fn new(state: &'a ServiceState, tick: u64) -> Situation<'a> {
        Situation {
            state,
            rollout: None,
            drained: BTreeSet::new(),
            takes: true,
            spent_versions: Vec::new(),
            tick,
            asked: false,
            held: BTreeMap::new(),
            hidden: BTreeMap::new(),
            counted: None,
            last_words: BTreeMap::new(),
        }
    }

    /// How many instances there are to be.
    pub(crate) fn wanted(&self) -> u32 {
        let service = self.state.service.as_ref().filter(|service| !service.removed);
        service.map_or(0, |service| service.spec.replicas)
    }

    /// All slots that are wanted or have an instance.
    pub(crate) fn slots(&self, service: &Service, rollout: Option<&Rollout>) -> Vec<Slot<'a>> {
        let highest = self.state.instances.iter().map(|instance| instance.slot).max().unwrap_or(0);
        let begun = rollout.map_or(0, |rollout| rollout.tick);
        let slots = 1..=highest.max(self.wanted());
        slots.map(|number| Slot::of(number, service.version, begun, self)).collect()
    }
}

pub(crate) fn is_maintained(instance: &Instance) -> bool {
    instance.health == adsum_model::Health::Maintenance
}

#[cfg(test)]
pub(crate) mod tests;
