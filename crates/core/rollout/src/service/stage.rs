//! What the instances and the gateways' counts mean for the rollout: its stage machine.
//!
//! Whatever it finds becomes an [`Advance`], which is carried out like any other step, so that all there is to know of a
//! rollout is on record. The rest of the plan is made from the rollout as it is after that.
//!
//! A failure is an instance of the new version that ends by itself, turns critical or cannot be started, between its
//! creation and the end of its watch; each instance counts once. Or the version as a whole, by the gateways' counts.

use std::collections::HashSet;
use std::time::Duration;

use adsum_keyspace::Now;
use adsum_model::rollout::{Cause, Done, DoneStep, Failure, Rollout, Stage};
use adsum_model::{Ending, FailureAction, Health, Instance, InstanceId, Phase, Service};

use super::{Pace, Plan, Situation, Slot, Step, is_maintained};

/// Steps that a rollout's log has at most: what a person reads. Failures have the same limit.
pub const LOGGED: usize = 200;
/// For how many times its watch a version is doubted whose first few requests fail, before these few decide.
const DOUBT: u32 = 10;

/// One change of a rollout's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advance {
    /// Something was seen to have happened.
    Note {
        slot: u32,
        instance: InstanceId,
        step: DoneStep,
    },
    Failed {
        slot: u32,
        instance: InstanceId,
        reason: String,
    },
    /// The first batch has stayed well.
    Proven,
    Stage {
        stage: Stage,
        reason: Option<String>,
    },
    /// The service's wish is the version before again.
    RollBack {
        reason: String,
    },
}

impl Advance {
    /// Writes it into the rollout; going back is a wish of its own, of which only the reason is written.
    pub fn apply(&self, rollout: &mut Rollout, now: Now) {
        match self {
            Advance::Note { slot, instance, step } => drop(note(rollout, *slot, instance, *step, now)),
            Advance::Failed { slot, instance, reason } => {
                note(rollout, *slot, instance, DoneStep::Failed, now);
                let (slot, instance, reason) = (*slot, instance.clone(), reason.clone());
                rollout.failures.push(Failure { instance, slot, reason, time: now.wall });
                // What comes while a person has it stand still is decided on when it goes on.
                if !rollout.by_hand {
                    rollout.answered = rollout.failures.len() as u32;
                }
            }
            Advance::Proven => rollout.proven = Some(now.tick),
            Advance::Stage { stage, reason } => {
                rollout.stage = *stage;
                rollout.by_hand = false;
                if *stage == Stage::Paused {
                    rollout.answered = rollout.failures.len() as u32;
                }
                rollout.reason.clone_from(reason);
                rollout.since = now.tick;
                rollout.ended = stage.is_final().then_some(now.wall);
            }
            Advance::RollBack { reason } => rollout.reason = Some(reason.clone()),
        }
    }
}

/// Adds to the log while there is room. Whether there was.
pub(crate) fn note(
    rollout: &mut Rollout,
    slot: u32,
    instance: &InstanceId,
    step: DoneStep,
    now: Now,
) -> bool {
    let has_room = rollout.log.len() < LOGGED;
    if has_room {
        rollout.log.push(Done { time: now.wall, slot, instance: instance.clone(), step });
    }
    has_room
}

impl Plan {
    /// Finds out how far the rollout is, and gives it as it is then.
    pub(super) fn advance(&mut self, situation: &Situation<'_>, service: &Service) -> Option<Rollout> {
        let mut rollout = situation.rollout.cloned()?;
        if rollout.stage.is_final() || service.removed {
            return Some(rollout);
        }
        let notes = notes(situation, &rollout);
        self.advance_by(&mut rollout, situation, notes);
        let pace = Pace::of(service, Some(&rollout));
        let failures = failures(situation, &pace, &rollout);
        let verdict = decide(situation, &pace, &rollout, &failures);
        self.advance_by(&mut rollout, situation, failures);
        self.advance_by(&mut rollout, situation, verdict);
        if !self.goes_back() {
            let proof = is_proof(situation, service, &rollout).then_some(Advance::Proven);
            self.advance_by(&mut rollout, situation, proof);
            let end = reached(situation, service, &rollout);
            self.advance_by(&mut rollout, situation, end.map(|stage| Advance::Stage { stage, reason: None }));
        }
        Some(rollout)
    }

    fn advance_by(
        &mut self,
        rollout: &mut Rollout,
        situation: &Situation<'_>,
        advances: impl IntoIterator<Item = Advance>,
    ) {
        for advance in advances {
            advance.apply(rollout, Now { tick: situation.tick, wall: 0 });
            self.steps.push(Step::Advance(advance));
        }
    }
}

/// What instances have done by themselves and is not in the log yet.
fn notes(situation: &Situation<'_>, rollout: &Rollout) -> Vec<Advance> {
    let room = LOGGED.saturating_sub(rollout.log.len());
    if room == 0 {
        return Vec::new();
    }
    let known: HashSet<(&InstanceId, DoneStep)> =
        rollout.log.iter().map(|done| (&done.instance, done.step)).collect();
    let seen = situation.state.instances.iter().flat_map(|instance| {
        let has_passed = instance.version == rollout.to && instance.passed >= Some(rollout.tick);
        let has_ended = instance.phase == Phase::Stopped && instance.since >= rollout.tick;
        let steps = [has_passed.then_some(DoneStep::Passed), has_ended.then_some(DoneStep::Ended)];
        steps.into_iter().flatten().map(move |step| (instance, step))
    });
    seen.filter(|(instance, step)| !known.contains(&(&instance.id, *step)))
        .take(room)
        .map(|(instance, step)| Advance::Note { slot: instance.slot, instance: instance.id.clone(), step })
        .collect()
}

/// The instances that have failed and are not yet counted.
fn failures(situation: &Situation<'_>, pace: &Pace<'_>, rollout: &Rollout) -> Vec<Advance> {
    let room = LOGGED.saturating_sub(rollout.failures.len());
    let fresh = situation.state.instances.iter().filter(|instance| {
        instance.version == rollout.to
            && instance.slot <= situation.wanted()
            && instance.born >= rollout.tick
            && !pace.has_failed(instance)
    });
    let failed = fresh.filter_map(|instance| {
        let reason = trouble(situation, pace, instance)?;
        Some(Advance::Failed { slot: instance.slot, instance: instance.id.clone(), reason })
    });
    failed.take(room).collect()
}

/// What an instance did that it should not have done while it is watched.
fn trouble(situation: &Situation<'_>, pace: &Pace<'_>, instance: &Instance) -> Option<String> {
    let monitor = pace.monitor.as_millis() as u64;
    let is_watched = instance.passed.is_none_or(|passed| instance.since < passed.saturating_add(monitor));
    if !is_watched || is_maintained(instance) || instance.health == Health::Draining {
        return None;
    }
    let reason = instance.reason.as_deref().filter(|reason| !reason.is_empty());
    let age = Duration::from_millis(instance.since.saturating_sub(instance.born));
    let after = format!("after {:.1} s", age.as_secs_f64());
    let ended = || match (reason, instance.ending) {
        (Some(reason), Some(Ending::NotStarted)) => reason.to_string(),
        (Some(reason), Some(Ending::Success | Ending::Failure) | None) => format!("{reason} {after}"),
        (None, _) => format!("ended by itself {after}"),
    };
    let what = match instance.phase {
        Phase::Backoff | Phase::Failed => ended(),
        Phase::Running if instance.health == Health::Critical => {
            format!("is critical {after}: {}", reason.unwrap_or("its check fails"))
        }
        Phase::Planned | Phase::Running if instance.restarts > 0 => ended(),
        Phase::Planned | Phase::Running | Phase::Stopping | Phase::Stopped | Phase::Complete => return None,
    };
    let words = situation.last_words.get(&instance.id).map_or(String::new(), |words| format!(": {words}"));
    Some(format!("{} ({}) {what}{words}", instance.title(), instance.id))
}

/// What follows from new failures, or from the gateways' counts.
fn decide(
    situation: &Situation<'_>,
    pace: &Pace<'_>,
    rollout: &Rollout,
    failures: &[Advance],
) -> Option<Advance> {
    let allowed = u64::from(situation.wanted()) * u64::from(pace.max_failure_ratio) / 10_000;
    let count = (rollout.failures.len() + failures.len()) as u64;
    let is_open = count > allowed && count > u64::from(rollout.answered);
    let last = last_failure(rollout, failures).filter(|_| is_open).map(str::to_string);
    // What is gone back to has proven itself, and is no better for being judged: there is nothing else to go to.
    let is_known = rollout.from.is_none() || rollout.proven.is_some_and(|proven| proven <= rollout.tick);
    let by_count = || {
        let counted = situation.counted.filter(|_| !is_known)?;
        counted.verdict(rollout.to, doubt(situation, pace) == Some(Duration::ZERO))
    };
    let what = last.or_else(by_count)?;
    if rollout.stage == Stage::Paused {
        return None;
    }
    match (pace.failure_action, rollout.from) {
        (FailureAction::Continue, _) => None,
        (FailureAction::Rollback, Some(from)) => {
            Some(Advance::RollBack { reason: format!("{what}; so it goes back to version {from}") })
        }
        (FailureAction::Rollback, None) => {
            Some(paused(format!("{what}; there is no version to go back to, so the rollout stands still")))
        }
        (FailureAction::Pause, _) => Some(paused(format!("{what}; so the rollout stands still"))),
    }
}

/// What the newest failure was, in words.
fn last_failure<'a>(rollout: &'a Rollout, fresh: &'a [Advance]) -> Option<&'a str> {
    match fresh.last() {
        Some(Advance::Failed { reason, .. }) => Some(reason),
        _ => rollout.failures.last().map(|failure| failure.reason.as_str()),
    }
}

fn paused(reason: String) -> Advance {
    Advance::Stage { stage: Stage::Paused, reason: Some(reason) }
}

/// Whether the whole first batch has passed and stayed well, but for failures that are borne.
fn is_proof(situation: &Situation<'_>, service: &Service, rollout: &Rollout) -> bool {
    let pace = Pace::of(service, Some(rollout));
    if pace.proven || pace.stands_still {
        return false;
    }
    let slots = situation.slots(service, Some(rollout));
    let slots = &slots[..situation.wanted() as usize];
    let is_settled = |slot: &Slot<'_>| slot.is_settled(&pace, situation.tick);
    let is_borne = |slot: &Slot<'_>| slot.current.iter().all(|instance| pace.has_failed(instance));
    doubt(situation, &pace).is_none_or(|rest| rest.is_zero())
        && slots.iter().all(|slot| slot.is_in_place(&pace) && (is_settled(slot) || is_borne(slot)))
        && slots.iter().any(|slot| slot.has_stayed_well(&pace, situation.tick))
}

/// For how long the version is still doubted, if it is: the first of its requests have failed, and too few have come to
/// judge it. Those who balance avoid whom they see fail, so that few come.
pub(super) fn doubt(situation: &Situation<'_>, pace: &Pace<'_>) -> Option<Duration> {
    let is_bad = !pace.proven && situation.counted.is_some_and(|counted| counted.is_bad());
    let newest = situation.state.instances.iter().filter(|instance| pace.is_new(instance));
    let since = newest.filter(|instance| instance.is_routable()).map(|instance| instance.since).max()?;
    let passed = Duration::from_millis(situation.tick.saturating_sub(since));
    (is_bad && !pace.monitor.is_zero()).then(|| (pace.monitor * DOUBT).saturating_sub(passed))
}

/// The stage that the rollout has got to, if it is another.
fn reached(situation: &Situation<'_>, service: &Service, rollout: &Rollout) -> Option<Stage> {
    let pace = Pace::of(service, Some(rollout));
    let slots = situation.slots(service, Some(rollout));
    let (kept, superfluous) = slots.split_at(situation.wanted() as usize);
    let is_replaced = |slot: &Slot<'_>| {
        let serves = slot.current.first().is_some_and(|one| one.is_routable() || is_maintained(one));
        let is_alone = slot.live().count() <= 1;
        (serves || slot.is_done()) && is_alone && slot.old.is_empty() && slot.drained.is_empty()
    };
    let is_gone = |slot: &Slot<'_>| slot.live().next().is_none();
    if !kept.iter().all(is_replaced) || !superfluous.iter().all(is_gone) {
        return None;
    }
    // Without any instance there is nothing to prove, and so it stays unproven.
    let is_proven = pace.proven || kept.is_empty();
    let is_settled = kept.iter().all(|slot| slot.is_settled(&pace, situation.tick));
    let is_held = pace.stands_still && rollout.from.is_some();
    match rollout.stage {
        Stage::Rolling | Stage::Paused | Stage::Verifying if is_settled && is_proven && !is_held => {
            Some(Stage::Complete)
        }
        Stage::Rolling if rollout.cause != Cause::Created => Some(Stage::Verifying),
        _ => None,
    }
}
