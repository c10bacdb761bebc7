//! What one node has to do about one instance.

use std::time::Duration;

use adsum_model::{Ending, Instance, Phase, Process, Restart, RestartCondition};

/// What part of a pause is the most that the lot adds to it.
const SPREAD: u64 = 4;

/// What the keeper sees of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The keeper does not know it.
    Nothing,
    Running(Process),
    Exited(Exit),
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    pub ending: Ending,
    /// `exited with code 1`, `was killed by SIGKILL`...
    pub description: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Start its process, then record it.
    Start,
    /// Record the process that is there.
    Record(Process),
    /// Record that it ended by itself and what follows from that.
    Ended { exit: Exit, next: AfterEnd },
    /// Tell the process to end.
    Signal,
    /// Record that it ended as wished.
    Stopped,
    /// Let the keeper forget it.
    Clear,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterEnd {
    /// Started again after a pause of this many milliseconds.
    Restart,
    /// Not started again: it has done its work.
    Complete,
    /// Not started again: it has failed too often.
    GiveUp,
}

/// What is to be done now about an instance of this node, if anything.
pub fn plan(instance: &Instance, restart: &Restart, seen: &Seen, tick: u64) -> Option<Step> {
    match (instance.phase, seen) {
        (Phase::Planned, Seen::Nothing) => Some(Step::Start),
        (Phase::Backoff, Seen::Nothing | Seen::Exited(_)) => {
            (restart_at(instance, restart) <= tick).then_some(Step::Start)
        }
        (Phase::Planned | Phase::Backoff, Seen::Running(process)) => Some(Step::Record(process.clone())),
        (Phase::Running, Seen::Running(process)) => {
            (instance.process.as_ref() != Some(process)).then(|| Step::Record(process.clone()))
        }
        (Phase::Planned | Phase::Running, Seen::Exited(exit)) => Some(ended(instance, restart, exit, tick)),
        (Phase::Running, Seen::Nothing) => Some(ended(instance, restart, &Exit::unseen(), tick)),
        (Phase::Stopping, Seen::Running(_)) => Some(Step::Signal),
        (Phase::Stopping, Seen::Nothing | Seen::Exited(_)) => Some(Step::Stopped),
        (Phase::Stopped | Phase::Complete | Phase::Failed, Seen::Nothing) => None,
        (Phase::Stopped | Phase::Complete | Phase::Failed, Seen::Running(_)) => Some(Step::Signal),
        (Phase::Stopped | Phase::Complete | Phase::Failed, Seen::Exited(_)) => Some(Step::Clear),
    }
}

/// The tick at which an instance in back-off is started again: after the pause, and by lot up to a quarter of it later.
pub fn restart_at(instance: &Instance, restart: &Restart) -> u64 {
    let pause = restart.pause(instance.streak).as_millis() as u64;
    let most = u128::from(pause / SPREAD) + 1;
    let later = (most * u128::from(instance.lot)) >> u32::BITS;
    instance.since.saturating_add(pause).saturating_add(later as u64)
}

/// What follows from a process that could not be started: the same as from one that ended at once.
pub fn not_started(instance: &Instance, restart: &Restart, why: &str, tick: u64) -> Step {
    let exit = Exit { ending: Ending::NotStarted, description: format!("cannot be started: {why}") };
    ended(instance, restart, &exit, tick)
}

/// The streak after an end: staying up for as long as the restart's window makes a new start of it.
pub fn streak_after(instance: &Instance, restart: &Restart, tick: u64) -> u32 {
    let up = Duration::from_millis(tick.saturating_sub(instance.since));
    let stayed = instance.phase == Phase::Running && restart.begins_anew(up);
    if stayed { 1 } else { instance.streak.saturating_add(1) }
}

impl Exit {
    /// Of a process that ended while nobody watched over it.
    fn unseen() -> Exit {
        Exit { ending: Ending::Failure, description: "ended while nobody watched over it".to_string() }
    }
}

fn ended(instance: &Instance, restart: &Restart, exit: &Exit, tick: u64) -> Step {
    let has_done = exit.ending == Ending::Success;
    let again = match restart.condition {
        RestartCondition::Any => true,
        RestartCondition::OnFailure => !has_done,
        RestartCondition::None => false,
    };
    let exhausted = restart.max_attempts.is_some_and(|max| streak_after(instance, restart, tick) > max);
    let next = match (again, exhausted) {
        (true, false) => AfterEnd::Restart,
        (false, _) if has_done => AfterEnd::Complete,
        (true, true) | (false, _) => AfterEnd::GiveUp,
    };
    Step::Ended { exit: exit.clone(), next }
}

#[cfg(test)]
mod tests {
    use adsum_model::Health;

    use super::*;
    use crate::service::tests::instance;

    fn process(pid: u32) -> Process {
        Process { pid, start_time: 1, boot_id: "b".into() }
    }

    fn exit(success: bool) -> Seen {
        let ending = if success { Ending::Success } else { Ending::Failure };
        Seen::Exited(Exit { ending, description: "ended".into() })
    }

    #[track_caller]
    fn check(phase: Phase, seen: Seen, expect: Option<Step>) {
        let mut instance = instance(1, 1, 1, phase, Health::Passing);
        instance.process = Some(process(7));
        instance.streak = 1;
        assert_eq!(plan(&instance, &Restart::default(), &seen, 100), expect);
    }

    #[test]
    fn an_instance_is_started_once_and_found_again() {
        check(Phase::Planned, Seen::Nothing, Some(Step::Start));
        check(Phase::Planned, Seen::Running(process(8)), Some(Step::Record(process(8))));
        check(Phase::Running, Seen::Running(process(7)), None);
        check(Phase::Running, Seen::Running(process(9)), Some(Step::Record(process(9))));
        check(Phase::Backoff, exit(false), None);
        check(Phase::Backoff, Seen::Running(process(7)), Some(Step::Record(process(7))));
    }

    #[test]
    fn an_instance_that_is_over_leaves_nothing_behind() {
        check(Phase::Stopping, Seen::Running(process(7)), Some(Step::Signal));
        check(Phase::Stopping, exit(false), Some(Step::Stopped));
        check(Phase::Stopping, Seen::Nothing, Some(Step::Stopped));
        check(Phase::Stopped, exit(true), Some(Step::Clear));
        check(Phase::Failed, Seen::Running(process(7)), Some(Step::Signal));
        check(Phase::Stopped, Seen::Nothing, None);
    }

    #[test]
    fn back_off_ends_after_its_pause() {
        let mut instance = instance(1, 1, 1, Phase::Backoff, Health::Critical);
        (instance.since, instance.streak) = (1000, 2);
        let restart = Restart::default();
        assert_eq!(plan(&instance, &restart, &exit(false), 1399), None);
        assert_eq!(plan(&instance, &restart, &exit(false), 1400), Some(Step::Start));
    }

    #[test]
    fn the_lot_spreads_starts_over_a_quarter_of_the_pause() {
        let at = |lot, streak| {
            let mut instance = instance(1, 1, 1, Phase::Backoff, Health::Critical);
            (instance.since, instance.streak, instance.lot) = (1000, streak, lot);
            restart_at(&instance, &Restart::default()) - 1000
        };
        assert_eq!([0, u32::MAX / 2, u32::MAX].map(|lot| at(lot, 1)), [200, 225, 250]);
        assert_eq!([0, u32::MAX].map(|lot| at(lot, 50)), [30_000, 37_500]);
    }

    #[test]
    fn what_follows_an_end_is_the_policys_choice() {
        let next = |condition, max_attempts, success, streak| {
            let mut instance = instance(1, 1, 1, Phase::Running, Health::Passing);
            instance.streak = streak;
            let restart = Restart { condition, max_attempts, ..Restart::default() };
            match plan(&instance, &restart, &exit(success), 100) {
                Some(Step::Ended { next, .. }) => next,
                other => panic!("{other:?}"),
            }
        };
        use RestartCondition::{Any, None as Never, OnFailure};
        assert_eq!(next(Any, None, true, 50), AfterEnd::Restart);
        assert_eq!(next(OnFailure, None, true, 0), AfterEnd::Complete);
        assert_eq!(next(OnFailure, None, false, 0), AfterEnd::Restart);
        assert_eq!(next(Never, None, false, 0), AfterEnd::GiveUp);
        assert_eq!(next(Any, Some(3), false, 2), AfterEnd::Restart);
        assert_eq!(next(Any, Some(3), false, 3), AfterEnd::GiveUp);
    }

    #[test]
    fn a_pause_is_no_time_of_being_up() {
        let mut instance = instance(1, 1, 1, Phase::Backoff, Health::Critical);
        (instance.since, instance.streak) = (0, 8);
        assert_eq!(streak_after(&instance, &Restart::default(), 30_000), 9);
        let never = Restart { condition: RestartCondition::None, ..Restart::default() };
        let step = not_started(&instance, &never, "no such program", 30_000);
        assert!(matches!(step, Step::Ended { next: AfterEnd::GiveUp, .. }), "{step:?}");
    }

    #[test]
    fn a_process_that_stayed_up_starts_a_new_streak() {
        let mut instance = instance(1, 1, 1, Phase::Running, Health::Passing);
        (instance.since, instance.streak) = (0, 5);
        let restart = Restart::default();
        assert_eq!(streak_after(&instance, &restart, 29_999), 6);
        assert_eq!(streak_after(&instance, &restart, Duration::from_secs(30).as_millis() as u64), 1);
    }
}
