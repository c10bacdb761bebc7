//! What no plan may do, whatever it was made from.
//!
//! Looked at from the outside: this knows nothing of how plans are made, only what they would leave. Whoever carries a
//! plan out has it looked at first, and carries out none that has a flaw.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::mem::discriminant;

use adsum_model::{Instance, InstanceId, Phase, Service};

use crate::service::{Pace, Plan, Situation, Slot, Step};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Two live instances on one slot of a service that has one on each at most.
    Doubled {
        slot: u32,
    },
    /// Fewer serve than before, and than are wanted.
    Reduced {
        before: usize,
        after: usize,
        wanted: u32,
    },
    /// One of the proven version is taken away before the one to come is proven.
    Unproven(InstanceId),
    /// Those who route have yet to let go of it.
    Held(InstanceId),
    Twice(Step),
    /// No node takes it.
    Nowhere {
        slot: u32,
    },
    /// More slots under way than the update allows.
    Crowded {
        slots: usize,
        parallelism: u32,
    },
}

/// All that is wrong with a plan.
pub fn lint(situation: &Situation<'_>, plan: &Plan) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    flaws.extend(twice(plan));
    flaws.extend(held(situation, plan));
    let Some(service) = &situation.state.service else { return flaws };
    // As it is once the plan's first steps are carried out.
    let mut rollout = situation.rollout.cloned();
    for step in &plan.steps {
        if let (Step::Advance(advance), Some(rollout)) = (step, &mut rollout) {
            advance.apply(rollout, adsum_keyspace::Now { tick: situation.tick, wall: 0 });
        }
    }
    let pace = Pace::of(service, rollout.as_ref());
    let of = |wanted: fn(&Step) -> Option<&InstanceId>| plan.steps.iter().filter_map(wanted).collect();
    let drained = of(|step| if let Step::Drain(id) = step { Some(id) } else { None });
    let stopped = of(|step| if let Step::Stop(id) = step { Some(id) } else { None });
    let after = After { situation, plan, service, pace: &pace, drained, stopped };
    flaws.extend(after.nowhere());
    flaws.extend(after.doubled());
    flaws.extend(after.unproven());
    flaws.extend(after.reduced());
    flaws.extend(after.crowded());
    flaws
}

/// Notes of a rollout may be alike; nothing else is done twice, and no slot gets two.
fn twice(plan: &Plan) -> Vec<Flaw> {
    let mut done = HashSet::new();
    let mut is_new = |step: &Step| match step {
        Step::Advance(_) => true,
        Step::Create { slot, .. } => done.insert((discriminant(step), None, *slot)),
        Step::Drain(id) | Step::Stop(id) | Step::Forget(id) => {
            done.insert((discriminant(step), Some(id.clone()), 0))
        }
        Step::ForgetVersion(number) => done.insert((discriminant(step), None, *number)),
        Step::RemoveService => done.insert((discriminant(step), None, 0)),
    };
    plan.steps.iter().filter(|step| !is_new(step)).cloned().map(Flaw::Twice).collect()
}

fn held(situation: &Situation<'_>, plan: &Plan) -> Vec<Flaw> {
    let instances: BTreeMap<&InstanceId, &Instance> =
        situation.state.instances.iter().map(|instance| (&instance.id, &**instance)).collect();
    let is_held = |id: &InstanceId| {
        let instance = instances.get(id);
        instance.is_some_and(|instance| {
            let may_have_requests = instance.is_routable() || situation.held.contains_key(id);
            instance.phase == Phase::Running && may_have_requests
        })
    };
    let stopped = plan.steps.iter().filter_map(|step| match step {
        Step::Stop(id) => Some(id),
        _ => None,
    });
    stopped.filter(|id| is_held(id)).cloned().map(Flaw::Held).collect()
}

/// What a plan leaves.
struct After<'a> {
    situation: &'a Situation<'a>,
    plan: &'a Plan,
    service: &'a Service,
    pace: &'a Pace<'a>,
    drained: HashSet<&'a InstanceId>,
    stopped: HashSet<&'a InstanceId>,
}

impl After<'_> {
    fn created(&self) -> impl Iterator<Item = u32> {
        self.plan.steps.iter().filter_map(|step| match step {
            Step::Create { slot, .. } => Some(*slot),
            _ => None,
        })
    }

    fn is_drained(&self, instance: &Instance) -> bool {
        self.drained.contains(&instance.id)
    }

    fn leaves(&self, instance: &Instance) -> bool {
        self.stopped.contains(&instance.id) || self.is_drained(instance)
    }

    /// Its place or its node says so.
    fn is_to_go(&self, instance: &Instance) -> bool {
        let is_superfluous = instance.slot > self.situation.wanted();
        is_superfluous || self.situation.drained.contains(&instance.node)
    }

    fn nowhere(&self) -> Vec<Flaw> {
        let created = self.created().filter(|_| !self.situation.takes);
        created.map(|slot| Flaw::Nowhere { slot }).collect()
    }

    fn doubled(&self) -> Vec<Flaw> {
        if !self.service.spec.exclusive {
            return Vec::new();
        }
        let is_live = |slot: u32| self.situation.state.live().any(|instance| instance.slot == slot);
        self.created().filter(|slot| is_live(*slot)).map(|slot| Flaw::Doubled { slot }).collect()
    }

    fn unproven(&self) -> Vec<Flaw> {
        if self.pace.proven || self.pace.is_stop_first() {
            return Vec::new();
        }
        let routable = self.situation.state.routable();
        let taken = routable.filter(|instance| {
            let is_double = |other: &Instance| {
                other.slot == instance.slot && self.pace.is_from(other) && other.id != instance.id
            };
            let is_spare =
                self.situation.state.routable().any(|other| is_double(other) && !self.is_drained(other));
            self.pace.is_from(instance) && self.is_drained(instance) && !self.is_to_go(instance) && !is_spare
        });
        taken.map(|instance| Flaw::Unproven(instance.id.clone())).collect()
    }

    /// Slots with an instance that serves, before and after. Those that are to go count neither here nor there; one of
    /// a version that has yet to prove itself does not stand for one that has.
    fn reduced(&self) -> Option<Flaw> {
        if self.pace.is_stop_first() {
            return None;
        }
        let version = self.service.version;
        let counts = |instance: &&Instance| {
            let is_proven = self.pace.proven || instance.version != version;
            is_proven && !self.is_to_go(instance)
        };
        let serving = || self.situation.state.routable().map(|instance| &**instance).filter(counts);
        let before = slots(serving());
        let after = slots(serving().filter(|instance| !self.is_drained(instance)));
        let wanted = self.situation.wanted();
        (after < before.min(wanted as usize)).then_some(Flaw::Reduced { before, after, wanted })
    }

    /// Slots in which the new version is begun, or which are emptied for it, and that do not serve yet.
    fn crowded(&self) -> Option<Flaw> {
        let parallelism = self.pace.parallelism;
        if parallelism == 0 || !self.pace.is_under_way() {
            return None;
        }
        let all = self.situation.slots(self.service, self.situation.rollout);
        let wanted = self.situation.wanted();
        let before = all.iter().filter(|slot| slot.number <= wanted && self.is_begun(slot)).count();
        let begins = |slot: &&Slot<'_>| {
            let is_created = self.created().any(|created| created == slot.number);
            let is_emptied = slot.old.iter().all(|instance| self.leaves(instance));
            let is_next = slot.current.is_empty() && !slot.old.is_empty();
            is_next && slot.number <= wanted && (is_created || is_emptied)
        };
        let begun = all.iter().filter(begins).count();
        let slots = before + begun;
        // Those that were begun before the parallelism was made smaller are not undone.
        (begun > 0 && slots > parallelism as usize).then_some(Flaw::Crowded { slots, parallelism })
    }

    fn is_begun(&self, slot: &Slot<'_>) -> bool {
        let replaces = !slot.old.is_empty() || slot.is_begun;
        replaces && !slot.current.iter().all(|instance| self.pace.bears(instance))
    }
}

fn slots<'a>(instances: impl Iterator<Item = &'a Instance>) -> usize {
    instances.map(|instance| instance.slot).collect::<BTreeSet<_>>().len()
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Doubled { slot } => write!(f, "a second instance on slot {slot} of an exclusive service"),
            Flaw::Reduced { before, after, wanted } => {
                write!(f, "{after} slots would serve of {wanted}, and {before} do now")
            }
            Flaw::Unproven(id) => {
                write!(f, "{id} of the proven version would go before the one to come is proven")
            }
            Flaw::Held(id) => write!(f, "{id} would be ended while requests may be on it"),
            Flaw::Twice(step) => write!(f, "{step:?} twice"),
            Flaw::Nowhere { slot } => write!(f, "an instance for slot {slot} that no node takes"),
            Flaw::Crowded { slots, parallelism } => {
                write!(f, "{slots} slots under way with a parallelism of {parallelism}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
