//! How instances are restarted and stopped.

use adsum_model::{Restart, RestartCondition, Stop};

use crate::draft::{RestartDraft, StopDraft};
use crate::problem::Problems;
use crate::{bound, signal};

const CONDITIONS: [(&str, RestartCondition); 3] = [
    ("any", RestartCondition::Any),
    ("on-failure", RestartCondition::OnFailure),
    ("none", RestartCondition::None),
];

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
    let max_attempts = draft
        .max_attempts
        .map(|number| problems.count("restart.max_attempts", Some(number), 0, &bound::MAX_ATTEMPTS));
    let window = draft
        .window
        .as_deref()
        .map(|text| problems.duration("restart.window", Some(text), default.max_delay, &bound::WINDOW));
    Restart { condition, delay, max_delay, max_attempts, window }
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
