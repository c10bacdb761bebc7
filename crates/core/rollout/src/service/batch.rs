//! In which slots to begin next.
//!
//! ```text
//! first batch   begun -> passing -> watched for the monitor -> proven      nothing else is begun meanwhile
//! later ones    begun -> passing -> (delay) -> next                        each watched while others are begun
//! ```

use std::time::Duration;

use adsum_model::Instance;

use super::stage;
use super::{Cause, Pace, Plan, Situation, Slot, Step, Waiting};

impl Plan {
    /// Begins to replace older versions, in as many slots at a time as the parallelism allows. Slots whose instance does
    /// not serve anyway come first: they cost nothing.
    pub(super) fn replace(&mut self, situation: &Situation<'_>, pace: &Pace<'_>, slots: &[Slot<'_>]) {
        let mut outdated: Vec<&Slot<'_>> = slots.iter().filter(|slot| slot.is_outdated()).collect();
        slots.iter().filter(|slot| !slot.old.is_empty()).filter_map(|slot| slot.ended).for_each(|ended| {
            self.has_ended(ended);
        });
        if outdated.is_empty() || !situation.takes || pace.holds {
            return;
        }
        match delay_rest(pace, slots, situation.tick) {
            Some(Duration::ZERO) => {}
            Some(rest) => return self.waiting_on.push(Waiting::on_all(Cause::Delay { rest })),
            None => return,
        }
        outdated.sort_by_key(|slot| slot.old.iter().any(|instance| instance.is_routable()));
        for slot in outdated.into_iter().take(room(pace, slots)) {
            if pace.is_stop_first() {
                // The superseded ones go already.
                let goes = |old: &&&Instance| slot.superseded(pace).any(|other| other.id == old.id);
                slot.old.iter().filter(|old| !goes(old)).for_each(|old| self.leave(situation, old));
            } else {
                self.steps.push(Step::Create { slot: slot.number, version: pace.service.version });
            }
        }
    }

    /// Says of the instances that are still being watched for how long they are.
    pub(super) fn watch(&mut self, situation: &Situation<'_>, pace: &Pace<'_>, slots: &[Slot<'_>]) {
        if !pace.is_under_way() {
            return;
        }
        for instance in slots.iter().filter_map(|slot| slot.current.first()) {
            let rest = pace.rest(instance, situation.tick);
            if instance.is_routable() && !rest.is_zero() {
                self.waiting_on.push(Waiting::on(instance, Cause::Monitor { rest }));
            }
        }
        if let Some(rest) = stage::doubt(situation, pace).filter(|rest| !rest.is_zero()) {
            self.waiting_on.push(Waiting::on_all(Cause::Doubt { rest }));
        }
        if pace.holds {
            self.waiting_on.push(Waiting::on_all(Cause::Paused));
        }
    }
}

/// How many slots may be begun.
fn room(pace: &Pace<'_>, slots: &[Slot<'_>]) -> usize {
    let busy = slots.iter().filter(|slot| !slot.is_in_place(pace)).count();
    let is_on_trial =
        |slot: &&Slot<'_>| slot.is_done() || slot.current.iter().any(|instance| !pace.has_failed(instance));
    if !pace.proven && (busy > 0 || slots.iter().any(|slot| is_on_trial(&slot))) {
        return 0;
    }
    match pace.parallelism {
        0 => usize::MAX,
        n => (n as usize).saturating_sub(busy),
    }
}

/// How long the next batch still has to wait for the delay after the last one; none when that is not yet in place.
fn delay_rest(pace: &Pace<'_>, slots: &[Slot<'_>], tick: u64) -> Option<Duration> {
    let has_begun = slots.iter().any(|slot| !slot.current.is_empty());
    if pace.delay.is_zero() || !has_begun || !pace.is_under_way() {
        return Some(Duration::ZERO);
    }
    if slots.iter().any(|slot| !slot.is_in_place(pace)) {
        return None;
    }
    let passed = slots.iter().flat_map(|slot| &slot.current).filter_map(|instance| instance.passed).max();
    let since = passed.unwrap_or(0).max(pace.proven_at());
    Some(pace.delay.saturating_sub(Duration::from_millis(tick.saturating_sub(since))))
}
