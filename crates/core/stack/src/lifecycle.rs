//! How instances are restarted, stopped and replaced.

use adsum_model::{Order, Restart, RestartCondition, Stop, Update};

use crate::draft::{RestartDraft, StopDraft, UpdateDraft};
use crate::problem::Problems;
use crate::{bound, signal};

const CONDITIONS: [(&str, RestartCondition); 3] = [
    ("any", RestartCondition::Any),
    ("on-failure", RestartCondition::OnFailure),
    ("none", RestartCondition::None),
];

const ORDERS: [(&str, Order); 2] = [("start-first", Order::StartFirst), ("stop-first", Order::StopFirst)];

pub(crate) fn restart(draft: &RestartDraft, problems: &mut Problems) -> Restart {
    let default = Restart::default();
    let condition =
        problems.word("restart.condition", draft.condition.as_deref(), default.condition, &CONDITIONS);
    let delay =
        problems.duration("restart.delay", draft.delay.as_deref(), default.delay, &bound::RESTART_DELAY);
    let max_delay = problems.duration(
        "restart.max_delay",
        draft.max_delay.as_deref(),
        default.max_delay.max(delay),
        &bound::RESTART_DELAY,
    );
    if let Some(text) = draft.max_delay.as_deref().filter(|_| max_delay < delay) {
        problems.add("restart.max_delay", text, "is less than restart.delay: give at least as much");
    }
    let attempts = |number| problems.count("restart.max_attempts", Some(number), 0, &bound::MAX_ATTEMPTS);
    Restart { condition, delay, max_delay, max_attempts: draft.max_attempts.map(attempts) }
}

pub(crate) fn stop(draft: &StopDraft, problems: &mut Problems) -> Stop {
    let default = Stop::default();
    let grace = problems.duration("stop.grace", draft.grace.as_deref(), default.grace, &bound::GRACE);
    let Some(text) = &draft.signal else { return Stop { grace, ..default } };
    let signal = signal::canonical(text).unwrap_or_else(|| {
        problems.add(
            "stop.signal",
            text,
            "is no signal: give a name such as SIGTERM, or a number from 1 to 31",
        );
        default.signal
    });
    Stop { signal, grace }
}

pub(crate) fn update(draft: &UpdateDraft, problems: &mut Problems) -> Update {
    let default = Update::default();
    Update {
        parallelism: problems.count(
            "update.parallelism",
            draft.parallelism,
            default.parallelism,
            &bound::PARALLELISM,
        ),
        order: problems.word("update.order", draft.order.as_deref(), default.order, &ORDERS),
        drain_timeout: problems.duration(
            "update.drain_timeout",
            draft.drain_timeout.as_deref(),
            default.drain_timeout,
            &bound::GRACE,
        ),
        ..default
    }
}
