//! The way out of one instance: the acknowledged drain.
//!
//! One way for all that take instances away: updates, fewer replicas, nodes that are emptied, ways back, removal. Being
//! taken out for maintenance goes the first half of it.

use std::time::Duration;

use adsum_model::{Health, Instance, Phase, Service};

use super::{Cause, Plan, Situation, Step, Waiting};

/// How long a draining instance goes on after its name was last answerable, if the name has been asked for. Traefik, at
/// its defaults, goes on with what it knows for 2 s after it has heard of a change.
pub const NAME_GRACE: Duration = Duration::from_secs(3);
/// How much longer than its drain time-out an instance goes on for what is in flight on it: gateways close what is left at
/// the time-out, and say so.
pub const CLOSING_GRACE: Duration = Duration::from_secs(1);

impl Plan {
    /// Takes an instance the next step out.
    pub(super) fn leave(&mut self, situation: &Situation<'_>, instance: &Instance) {
        let id = instance.id.clone();
        match (instance.phase, instance.health) {
            (Phase::Stopped | Phase::Complete | Phase::Failed, _) => {}
            (Phase::Stopping, _) => self.waiting_on.push(Waiting::on(instance, Cause::Exit)),
            (Phase::Running, Health::Draining) => match situation.keeps(instance) {
                None => self.steps.push(Step::Stop(id)),
                Some(cause) => self.waiting_on.push(Waiting::on(instance, cause)),
            },
            // It was out for maintenance, and something of before is in flight still.
            (Phase::Running, Health::Starting) if situation.held.contains_key(&id) => {
                self.steps.push(Step::Drain(id));
            }
            // It never had traffic, or has no process to give it to.
            (Phase::Running, Health::Starting) | (Phase::Planned | Phase::Backoff, _) => {
                self.steps.push(Step::Stop(id));
            }
            (Phase::Running, Health::Passing | Health::Warning | Health::Critical | Health::Maintenance) => {
                self.steps.push(Step::Drain(id));
            }
        }
    }

    /// An instance in maintenance is out when nobody has anything in flight on it.
    pub(super) fn maintain(&mut self, situation: &Situation<'_>, instance: &Instance) {
        if let Some(held) = situation.held.get(&instance.id) {
            self.waiting_on.push(Waiting::on(instance, Cause::Barrier(held.clone())));
        }
    }
}

impl Situation<'_> {
    /// Why a draining instance is not to be stopped yet.
    pub(crate) fn keeps(&self, instance: &Instance) -> Option<Cause> {
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

/// How long a draining instance may keep what is in flight on it, from `tick` on.
pub fn drain_rest(instance: &Instance, service: Option<&Service>, tick: u64) -> Duration {
    let update = service.map(|service| service.spec.update.clone()).unwrap_or_default();
    let passed = Duration::from_millis(tick.saturating_sub(instance.since));
    (update.drain_timeout + CLOSING_GRACE).saturating_sub(passed)
}
