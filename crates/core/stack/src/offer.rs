//! Whether a node can give what a task asks for.

use adsum_model::{Controller, Offer, Task};

use crate::Problem;
use crate::draft::LimitsDraft;

/// What `task` asks for and a node that offers `offer` cannot give. A limit that nobody keeps would be worse than
/// none, so it is refused.
pub fn unmet(task: &Task, offer: &Offer) -> Vec<Problem> {
    let mut problems = Vec::new();
    let written = LimitsDraft::of(&task.limits);
    for controller in task.limits.controllers().difference(&offer.controllers) {
        let value = match controller {
            Controller::Memory => written.memory.clone(),
            Controller::Cpu => written.cpu.clone(),
            Controller::Pids => written.pids.map(|pids| pids.to_string()),
        };
        let message = format!(
            "cannot be kept here: the agent's keeper has no control group with the {controller} controller. Run the agent \
             as root, or in a systemd unit with Delegate=yes and DelegateSubgroup=agent, or leave the limit out"
        );
        problems.push(Problem::new(format!("limits.{controller}"), value.unwrap_or_default(), message));
    }
    if let Some(user) = task.user.as_ref().filter(|_| !offer.any_user) {
        let message = "is another user than the agent's, which may not change it: run the agent as root, or leave the user out";
        problems.push(Problem::new("user", user, message));
    }
    problems
}

#[cfg(test)]
mod tests {
    use adsum_model::Limits;

    use super::*;

    fn task() -> Task {
        let limits = Limits { memory: Some(256 << 20), cpu: Some(500), pids: Some(100) };
        Task { user: Some("nobody".into()), limits, ..Task::default() }
    }

    #[test]
    fn a_node_that_offers_everything_meets_every_task() {
        let offer = Offer { controllers: Controller::ALL.into(), any_user: true };
        assert_eq!(unmet(&task(), &offer), []);
        assert_eq!(unmet(&Task::default(), &Offer::default()), []);
    }

    #[test]
    fn everything_that_cannot_be_had_is_named_with_its_value() {
        let offer = Offer { controllers: [Controller::Pids].into(), any_user: false };
        let problems = unmet(&task(), &offer);
        let said: Vec<(&str, &str)> =
            problems.iter().map(|problem| (problem.field.as_str(), problem.value.as_str())).collect();
        assert_eq!(said, [("limits.memory", "256m"), ("limits.cpu", "0.5"), ("user", "nobody")]);
        assert!(
            problems[0].message.contains("no control group with the memory controller"),
            "{}",
            problems[0]
        );
    }
}
