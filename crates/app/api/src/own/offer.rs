//! What the driver of this node can give, beside what is wished for.

use adsum_model::Spec;
use adsum_stack::unmet;

use super::Refusal;
use crate::ApiState;

/// Refuses what nobody here could keep. What was wished for before passes, since refusing it would help nobody; so does
/// everything while there is no keeper to ask.
pub(super) fn check(state: &ApiState, before: Option<&Spec>, wanted: &Spec) -> Result<(), Refusal> {
    let Some(keeper) = (state.keeper)() else { return Ok(()) };
    let (task, was) = (&wanted.task, before.map(|spec| &spec.task));
    let is_new = was.is_none_or(|was| was.limits != task.limits || was.user != task.user);
    let problems = if is_new { unmet(task, &keeper.offer) } else { Vec::new() };
    if problems.is_empty() { Ok(()) } else { Err(Refusal::of_problems(&problems)) }
}
