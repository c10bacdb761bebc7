//! The JSON of what a service waits for: the kind for programs, the message for people.

use adsum_rollout::service::{Cause, Waiting};
use serde::Serialize;

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Shape {
    /// None when the whole service waits.
    slot: Option<u32>,
    /// None when the slot has yet to get one.
    instance: Option<String>,
    kind: &'static str,
    message: String,
}

impl Shape {
    pub(crate) fn of(waiting: &Waiting) -> Shape {
        Shape {
            slot: waiting.slot,
            instance: waiting.instance.as_ref().map(ToString::to_string),
            kind: kind(&waiting.on),
            message: waiting.on.to_string(),
        }
    }
}

fn kind(cause: &Cause) -> &'static str {
    match cause {
        Cause::Start => "start",
        Cause::Check { .. } => "check",
        Cause::Restart { .. } => "restart",
        Cause::GivenUp { .. } => "given-up",
        Cause::Barrier(_) => "barrier",
        Cause::Drain { .. } => "drain",
        Cause::Exit => "exit",
        Cause::Monitor { .. } => "monitor",
        Cause::Doubt { .. } => "doubt",
        Cause::Delay { .. } => "delay",
        Cause::Paused => "paused",
        Cause::Maintenance => "maintenance",
        Cause::Node => "node",
    }
}

#[cfg(test)]
mod tests {
    use adsum_model::InstanceId;

    use super::*;

    #[test]
    fn what_is_waited_for_has_a_kind_beside_its_words() {
        let instance = InstanceId::from_seed(1);
        let on = Cause::GivenUp { last: Some("exited with 1".into()) };
        let shape = Shape::of(&Waiting { slot: Some(2), instance: Some(instance.clone()), on });
        let message = "a new version: it was given up: exited with 1".to_string();
        let expect = Shape { slot: Some(2), instance: Some(instance.to_string()), kind: "given-up", message };
        assert_eq!(shape, expect);
    }
}
