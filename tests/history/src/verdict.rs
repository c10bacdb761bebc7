//! What a check says of a history, with the operations named.

use crate::operation::Operation;
use crate::search::{Stuck, Verdict};

/// How many operations of the order that was found last are shown.
const SHOWN: usize = 5;

/// Why a history does not pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It cannot have happened on a correct server.
    #[error("{0}")]
    Violated(String),
    /// The steps were used up before anybody knew: no pass. Use more keys, fewer clients on one, or more steps.
    #[error("{key}: undecided after {steps} steps: use fewer operations per key, or more steps")]
    Undecided { key: String, steps: u64 },
}

/// What passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    pub keys: usize,
    pub operations: usize,
    pub steps: u64,
}

impl Searched {
    /// Adds the verdict on one key. `name` says an operation of the search, `describe` a state.
    pub(crate) fn add<S>(
        &mut self,
        operations: &[&Operation],
        verdict: Verdict<S>,
        name: impl Fn(usize) -> String,
        describe: impl Fn(&S) -> String,
    ) -> Result<(), Failure> {
        let key = operations.first().map_or_else(String::new, |operation| operation.key.clone());
        match verdict {
            Verdict::Linearizable { steps } => {
                self.keys += 1;
                self.operations += operations.len();
                self.steps += steps;
                Ok(())
            }
            Verdict::Undecided { steps } => Err(Failure::Undecided { key, steps }),
            Verdict::Violated(stuck) => Err(Failure::Violated(explain(&stuck, name, describe))),
        }
    }
}

fn explain<S>(stuck: &Stuck<S>, name: impl Fn(usize) -> String, describe: impl Fn(&S) -> String) -> String {
    let Stuck { taken, misfit, state, .. } = stuck;
    let last: Vec<String> = taken.iter().rev().take(SHOWN).rev().map(|&position| name(position)).collect();
    let order = if last.is_empty() { "nothing".to_string() } else { last.join("\n  ") };
    format!(
        "in no order does this fit:\n  {}\nafter {} operations, the last of them:\n  {order}\nwhich leave {}",
        name(*misfit),
        taken.len(),
        describe(state)
    )
}
