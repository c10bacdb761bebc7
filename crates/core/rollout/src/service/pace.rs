//! How a rollout goes: the settings that hold for it, and how far it is.

use std::time::Duration;

use adsum_model::rollout::{Cause, Rollout, Stage};
use adsum_model::{FailureAction, Instance, Order, Service};

use super::{Slot, is_maintained};

/// The update's settings, or on the way back the rollback's.
pub(crate) struct Pace<'a> {
    pub(crate) service: &'a Service,
    rollout: Option<&'a Rollout>,
    /// At a time; all when 0.
    pub(crate) parallelism: u32,
    pub(crate) order: Order,
    pub(crate) delay: Duration,
    pub(crate) monitor: Duration,
    /// In 0.01 %.
    pub(crate) max_failure_ratio: u32,
    pub(crate) failure_action: FailureAction,
    pub(crate) exclusive: bool,
    /// Whether instances of the old version may go.
    pub(crate) proven: bool,
    /// Nothing further is begun.
    pub(crate) holds: bool,
    /// After a failure: what serves stays until a person has decided.
    pub(crate) stands_still: bool,
}

impl<'a> Pace<'a> {
    pub(crate) fn of(service: &'a Service, rollout: Option<&'a Rollout>) -> Pace<'a> {
        let is_way_back = rollout.is_some_and(|rollout| matches!(rollout.cause, Cause::RolledBack { .. }));
        let mut pace = if is_way_back { Pace::back(service) } else { Pace::forth(service) };
        pace.rollout = rollout;
        let is_proven = |rollout: &Rollout| {
            rollout.from.is_none() || rollout.proven.is_some() || rollout.stage == Stage::Complete
        };
        pace.proven = rollout.is_none_or(is_proven);
        pace.holds = rollout.is_some_and(|rollout| rollout.stage == Stage::Paused);
        pace.stands_still = pace.holds && rollout.is_some_and(|rollout| !rollout.by_hand);
        if rollout.is_some_and(|rollout| rollout.cause == Cause::Created) {
            // Nothing is there that it could take the place of.
            pace.monitor = Duration::ZERO;
        }
        pace
    }

    fn forth(service: &'a Service) -> Pace<'a> {
        let update = &service.spec.update;
        Pace {
            service,
            rollout: None,
            parallelism: update.parallelism,
            order: update.order,
            delay: update.delay,
            monitor: update.monitor,
            max_failure_ratio: update.max_failure_ratio,
            failure_action: update.failure_action,
            exclusive: service.spec.exclusive,
            proven: true,
            holds: false,
            stands_still: false,
        }
    }

    fn back(service: &'a Service) -> Pace<'a> {
        let rollback = &service.spec.rollback;
        Pace {
            parallelism: rollback.parallelism,
            order: rollback.order,
            delay: rollback.delay,
            monitor: rollback.monitor,
            max_failure_ratio: rollback.max_failure_ratio,
            // Never on to another.
            failure_action: match rollback.failure_action {
                FailureAction::Continue => FailureAction::Continue,
                FailureAction::Pause | FailureAction::Rollback => FailureAction::Pause,
            },
            ..Pace::forth(service)
        }
    }

    pub(crate) fn is_stop_first(&self) -> bool {
        self.exclusive || self.order == Order::StopFirst
    }

    /// Whether the rollout has yet to end.
    pub(crate) fn is_under_way(&self) -> bool {
        self.rollout.is_some_and(|rollout| !rollout.stage.is_final())
    }

    /// When the first batch was proven, as a tick.
    pub(crate) fn proven_at(&self) -> u64 {
        self.rollout.and_then(|rollout| rollout.proven).unwrap_or(0)
    }

    /// What an empty slot gets: the version that is proven, unless it was emptied for the other.
    pub(crate) fn version_for(&self, slot: &Slot<'_>) -> u32 {
        let is_begun = self.is_stop_first() && slot.is_begun;
        let from = self.rollout.and_then(|rollout| rollout.from).filter(|_| !self.proven && !is_begun);
        from.unwrap_or(self.service.version)
    }

    /// Of the version that the rollout goes to.
    pub(crate) fn is_new(&self, instance: &Instance) -> bool {
        self.rollout.is_some_and(|rollout| rollout.to == instance.version)
    }

    /// Of the version that was proven before.
    pub(crate) fn is_from(&self, instance: &Instance) -> bool {
        self.rollout.is_some_and(|rollout| rollout.from == Some(instance.version))
    }

    /// Counted as failed.
    pub(crate) fn has_failed(&self, instance: &Instance) -> bool {
        let failures = self.rollout.map_or(&[][..], |rollout| &rollout.failures);
        failures.iter().any(|failure| failure.instance == instance.id)
    }

    /// Whether the rollout may go on elsewhere with the instance as it is.
    pub(crate) fn bears(&self, instance: &Instance) -> bool {
        instance.is_routable()
            || is_maintained(instance)
            || (self.is_under_way() && self.has_failed(instance))
    }

    /// Serves, and has done so for as long as it is watched; or is out of service by a person.
    pub(crate) fn is_settled(&self, instance: &Instance, tick: u64) -> bool {
        is_maintained(instance) || (instance.is_routable() && self.rest(instance, tick).is_zero())
    }

    /// How long an instance that serves is still watched. One that was there before the rollout has been already.
    pub(crate) fn rest(&self, instance: &Instance, tick: u64) -> Duration {
        if self.rollout.is_some_and(|rollout| instance.born < rollout.tick) {
            return Duration::ZERO;
        }
        self.monitor.saturating_sub(Duration::from_millis(tick.saturating_sub(instance.since)))
    }
}
