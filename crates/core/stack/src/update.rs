//! How the instances of one version are replaced by those of another, on the way there and on the way back.

use adsum_model::{FailureAction, Order, Rollback, Update};

use crate::bound;
use crate::draft::{PaceDraft, UpdateDraft};
use crate::problem::Problems;

const ORDERS: [(&str, Order); 2] = [("start-first", Order::StartFirst), ("stop-first", Order::StopFirst)];

const ACTIONS: [(&str, FailureAction); 3] = [
    ("pause", FailureAction::Pause),
    ("continue", FailureAction::Continue),
    ("rollback", FailureAction::Rollback),
];

/// Parts of a ratio, which is kept in 0.01 %.
const WHOLE: f64 = 10_000.0;

pub(crate) fn update(draft: &UpdateDraft, problems: &mut Problems) -> Update {
    let default = Update::default();
    let drain_timeout = problems.duration(
        "update.drain_timeout",
        draft.drain_timeout.as_deref(),
        default.drain_timeout,
        &bound::GRACE,
    );
    let mut pace = Pace { part: "update", draft: &draft.pace, problems };
    Update {
        parallelism: pace.parallelism(default.parallelism),
        order: pace.order(default.order),
        drain_timeout,
        delay: pace.duration("delay", draft.pace.delay.as_deref(), default.delay),
        monitor: pace.duration("monitor", draft.pace.monitor.as_deref(), default.monitor),
        max_failure_ratio: pace.max_failure_ratio(default.max_failure_ratio),
        failure_action: pace.failure_action(default.failure_action, &ACTIONS),
    }
}

pub(crate) fn rollback(draft: &PaceDraft, problems: &mut Problems) -> Rollback {
    let default = Rollback::default();
    let mut pace = Pace { part: "rollback", draft, problems };
    Rollback {
        parallelism: pace.parallelism(default.parallelism),
        order: pace.order(default.order),
        delay: pace.duration("delay", draft.delay.as_deref(), default.delay),
        monitor: pace.duration("monitor", draft.monitor.as_deref(), default.monitor),
        max_failure_ratio: pace.max_failure_ratio(default.max_failure_ratio),
        // The way back does not go back itself.
        failure_action: pace.failure_action(default.failure_action, &ACTIONS[..2]),
    }
}

/// A share between 0 and 1, as it is written.
pub(crate) fn print_ratio(ratio: u32) -> String {
    (f64::from(ratio) / WHOLE).to_string()
}

fn parse_ratio(text: &str) -> Option<u32> {
    let ratio: f64 = text.parse().ok()?;
    // Within these bounds it is a small whole number.
    (0.0..=1.0).contains(&ratio).then(|| (ratio * WHOLE).round() as u32)
}

/// What an update and a rollback have in common.
struct Pace<'a> {
    part: &'static str,
    draft: &'a PaceDraft,
    problems: &'a mut Problems,
}

impl Pace<'_> {
    fn field(&self, name: &str) -> String {
        format!("{}.{name}", self.part)
    }

    fn parallelism(&mut self, default: u32) -> u32 {
        let field = self.field("parallelism");
        self.problems.count(&field, self.draft.parallelism, default, &bound::PARALLELISM)
    }

    fn order(&mut self, default: Order) -> Order {
        let field = self.field("order");
        self.problems.word(&field, self.draft.order.as_deref(), default, &ORDERS)
    }

    fn duration(
        &mut self,
        name: &str,
        text: Option<&str>,
        default: std::time::Duration,
    ) -> std::time::Duration {
        let field = self.field(name);
        self.problems.duration(&field, text, default, &bound::PACE)
    }

    fn max_failure_ratio(&mut self, default: u32) -> u32 {
        let Some(text) = self.draft.max_failure_ratio.as_deref() else { return default };
        parse_ratio(text).unwrap_or_else(|| {
            let field = self.field("max_failure_ratio");
            self.problems.add(field, text, "is no share: give 0 to 1, such as 0.25");
            default
        })
    }

    fn failure_action(&mut self, default: FailureAction, actions: &[(&str, FailureAction)]) -> FailureAction {
        let field = self.field("failure_action");
        self.problems.word(&field, self.draft.failure_action.as_deref(), default, actions)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn pace() -> PaceDraft {
        PaceDraft {
            parallelism: Some(2),
            order: Some("stop-first".into()),
            delay: Some("1s".into()),
            monitor: Some("0".into()),
            max_failure_ratio: Some("0.25".into()),
            failure_action: Some("continue".into()),
        }
    }

    #[test]
    fn every_setting_of_the_way_there_and_back_is_read() {
        let mut problems = Problems::default();
        let draft = UpdateDraft { pace: pace(), drain_timeout: Some("9s".into()) };
        let there = update(&draft, &mut problems);
        let expect = Update {
            parallelism: 2,
            order: Order::StopFirst,
            drain_timeout: Duration::from_secs(9),
            delay: Duration::from_secs(1),
            monitor: Duration::ZERO,
            max_failure_ratio: 2_500,
            failure_action: FailureAction::Continue,
        };
        assert_eq!(there, expect);
        let back = rollback(&pace(), &mut problems);
        let Update { parallelism, order, delay, monitor, max_failure_ratio, failure_action, .. } = expect;
        let expect = Rollback { parallelism, order, delay, monitor, max_failure_ratio, failure_action };
        assert_eq!((back, problems.0.len()), (expect, 0));
        assert_eq!(update(&UpdateDraft::default(), &mut problems), Update::default());
        assert_eq!(rollback(&PaceDraft::default(), &mut problems), Rollback::default());
    }

    #[test]
    fn every_mistake_is_told_with_its_field() {
        let draft = PaceDraft {
            parallelism: Some(-1),
            order: Some("sideways".into()),
            delay: Some("2h".into()),
            monitor: Some("5".into()),
            max_failure_ratio: Some("25%".into()),
            failure_action: Some("rollback".into()),
        };
        let mut problems = Problems::default();
        rollback(&draft, &mut problems);
        let fields: Vec<&str> = problems.0.iter().map(|problem| problem.field.as_str()).collect();
        let names = ["parallelism", "order", "delay", "monitor", "max_failure_ratio", "failure_action"];
        assert_eq!(fields, names.map(|name| format!("rollback.{name}")));
        let last = problems.0.pop().unwrap().to_string();
        assert_eq!(last, "rollback.failure_action: 'rollback' is unknown: give one of pause, continue");
    }

    #[test]
    fn a_ratio_is_a_share_between_none_and_all() {
        for (text, expect) in
            [("0", Some(0)), ("1", Some(10_000)), ("0.25", Some(2_500)), (".5", Some(5_000))]
        {
            assert_eq!(parse_ratio(text), expect, "{text}");
        }
        for text in ["", "x", "-0.1", "1.1", "25", "NaN", "inf"] {
            assert_eq!(parse_ratio(text), None, "{text}");
        }
        for ratio in [0, 1, 333, 2_500, 9_999, 10_000] {
            assert_eq!(parse_ratio(&print_ratio(ratio)), Some(ratio));
        }
    }
}
