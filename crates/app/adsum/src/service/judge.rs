//! Whether the waiting for a service is over, and how it ended.

use super::outcome::Outcome;
use super::rollout::Rollout;
use super::view::Service;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// With the rollout of the wish; None when that is not known.
    Converged {
        rollout: Option<u32>,
    },
    /// By a wish that began no rollout: whatever rollout is there, so many instances are to pass in the end.
    Scaled {
        replicas: u32,
    },
    Gone,
}

/// What there is to say of a service as it is; `wished` is the rollout of the wish when another one has taken its place.
pub(super) fn judge(goal: Goal, service: &Service, wished: Option<&Rollout>) -> Option<Outcome> {
    match (goal, &service.rollout) {
        (Goal::Gone, _) => None,
        (Goal::Converged { rollout: Some(number) }, Some(now)) if now.number > number => {
            overtaken(service, now, wished)
        }
        (Goal::Scaled { .. }, _) if service.removed => Some(Outcome::Removed),
        (Goal::Scaled { replicas }, _) if service.spec.replicas != replicas => Some(Outcome::Superseded),
        (Goal::Converged { .. } | Goal::Scaled { .. }, now) => as_it_stands(service, now.as_ref()),
    }
}

/// No other wish is in the way.
fn as_it_stands(service: &Service, rollout: Option<&Rollout>) -> Option<Outcome> {
    match rollout {
        Some(rollout) if rollout.is_paused_by_failure() => Some(Outcome::Paused),
        Some(rollout) if !rollout.ended => is_given_up(service).then_some(Outcome::GivenUp),
        Some(_) | None if service.converged => Some(Outcome::Converged),
        Some(_) | None => is_given_up(service).then_some(Outcome::GivenUp),
    }
}

/// Another rollout is there than the one that was begun.
fn overtaken(service: &Service, now: &Rollout, wished: Option<&Rollout>) -> Option<Outcome> {
    match wished.map(|wished| wished.stage.as_str()) {
        // It came to its end, and the next wish is somebody else's.
        Some("complete") => Some(Outcome::Converged),
        // Told when the way back is over, however it ended.
        Some("rolled-back") => {
            let over = (now.ended && service.converged) || now.is_paused_by_failure();
            over.then_some(Outcome::RolledBack)
        }
        Some("removed") => Some(Outcome::Removed),
        Some(_) | None => Some(Outcome::Superseded),
    }
}

/// An instance of it is not started again.
fn is_given_up(service: &Service) -> bool {
    service.waiting.iter().any(|waiting| waiting.kind == "given-up")
}

#[cfg(test)]
mod tests {
    use super::super::view::Waiting;
    use super::super::view::tests::service;
    use super::*;

    fn rollout(number: u32, stage: &str, reason: &str) -> Rollout {
        let ended = !matches!(stage, "rolling" | "paused" | "verifying");
        let (stage, reason) = (stage.to_string(), Some(reason.to_string()));
        Rollout { number, stage, ended, reason, ..Rollout::default() }
    }

    #[track_caller]
    fn check(converged: bool, now: Rollout, wished: Option<Rollout>, expect: Option<Outcome>) {
        let service = Service { converged, rollout: Some(now), ..service(vec![]) };
        let goal = Goal::Converged { rollout: Some(2) };
        assert_eq!(judge(goal, &service, wished.as_ref()), expect);
    }

    #[test]
    fn a_rollout_is_waited_for_until_it_is_complete_and_all_else_has_gone() {
        check(false, rollout(2, "rolling", ""), None, None);
        check(true, rollout(2, "verifying", ""), None, None);
        check(false, rollout(2, "complete", ""), None, None);
        check(true, rollout(2, "complete", ""), None, Some(Outcome::Converged));
    }

    #[test]
    fn a_pause_by_hand_is_waited_out_and_one_after_a_failure_is_an_end() {
        let by_hand = Rollout { by_hand: true, ..rollout(2, "paused", "paused by hand") };
        check(false, by_hand, None, None);
        check(false, rollout(2, "paused", "web.2 exited with status 1"), None, Some(Outcome::Paused));
    }

    #[test]
    fn a_rollout_that_was_taken_back_is_told_when_the_way_back_is_over() {
        let back = |stage, converged, expect| {
            let wished = rollout(2, "rolled-back", "web.2 exited with status 1");
            check(converged, rollout(3, stage, ""), Some(wished), expect);
        };
        back("rolling", false, None);
        back("complete", false, None);
        back("complete", true, Some(Outcome::RolledBack));
        back("paused", false, Some(Outcome::RolledBack));
    }

    #[test]
    fn a_wish_that_another_one_replaced_is_no_longer_waited_for() {
        let after = |stage, expect| {
            check(false, rollout(3, "rolling", ""), Some(rollout(2, stage, "")), Some(expect))
        };
        after("superseded", Outcome::Superseded);
        after("complete", Outcome::Converged);
        after("removed", Outcome::Removed);
        check(false, rollout(3, "rolling", ""), None, Some(Outcome::Superseded));
    }

    #[test]
    fn a_scale_is_through_when_its_instances_pass_whatever_rollout_somebody_else_began() {
        let check = |replicas, converged, rollout, expect| {
            let mut service = Service { converged, rollout: Some(rollout), ..service(vec![]) };
            service.spec.replicas = replicas;
            assert_eq!(judge(Goal::Scaled { replicas: 3 }, &service, None), expect);
        };
        check(3, false, rollout(3, "rolling", ""), None);
        check(3, false, rollout(3, "complete", ""), None);
        check(3, true, rollout(3, "complete", ""), Some(Outcome::Converged));
        check(3, false, rollout(3, "paused", "web.2 exited with status 1"), Some(Outcome::Paused));
        check(5, true, rollout(3, "complete", ""), Some(Outcome::Superseded));
        let removed = Service { removed: true, ..service(vec![]) };
        assert_eq!(judge(Goal::Scaled { replicas: 3 }, &removed, None), Some(Outcome::Removed));
    }

    #[test]
    fn an_instance_that_was_given_up_ends_the_waiting() {
        let mut given_up = Service { waiting: vec![Waiting { kind: "given-up".into() }], ..service(vec![]) };
        let goal = Goal::Converged { rollout: None };
        assert_eq!(judge(goal, &given_up, None), Some(Outcome::GivenUp));
        given_up.rollout = Some(rollout(1, "rolling", ""));
        assert_eq!(judge(goal, &given_up, None), Some(Outcome::GivenUp));
        assert_eq!(judge(Goal::Gone, &given_up, None), None);
    }
}
