//! A key with a value: read, write, compare and write, delete. Checked by search, key by key.

use std::collections::HashMap;

use crate::event::{Action, Answer};
use crate::operation::{History, Operation};
use crate::search::{Model, Span, search};
use crate::verdict::{Failure, Searched};

/// Searches for an order on every key, in at most `budget` steps each. Operations of locks are left out.
pub fn check(history: &History, budget: u64) -> Result<Searched, Failure> {
    let mut searched = Searched::default();
    for operations in history.by_key().values() {
        let mut values = Values::default();
        let kept: Vec<(&Operation, Span<Step>)> =
            operations.iter().filter_map(|operation| Some((*operation, values.span(operation)?))).collect();
        let (operations, spans): (Vec<&Operation>, Vec<Span<Step>>) = kept.into_iter().unzip();
        let verdict = search(&Register, &spans, budget);
        let name = |position: usize| operations[position].to_string();
        searched.add(&operations, verdict, name, |state| values.describe(*state))?;
    }
    Ok(searched)
}

/// The number of a value; none when the key is not there.
type State = Option<u32>;

/// An operation with values as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Read(State),
    Write(u32),
    /// Whether there was something.
    Delete(Option<bool>),
    /// Whether it fitted, if that is known.
    Compare {
        expect: State,
        write: u32,
        fits: Option<bool>,
    },
    /// An answer that no such operation has.
    Absurd,
}

struct Register;

impl Model for Register {
    type Operation = Step;
    type State = State;

    fn initial(&self) -> State {
        None
    }

    fn step(&self, state: &State, step: &Step) -> Option<State> {
        match *step {
            Step::Read(value) => (value == *state).then_some(*state),
            Step::Write(value) => Some(Some(value)),
            Step::Delete(there) => there.is_none_or(|there| there == state.is_some()).then_some(None),
            Step::Compare { expect, write, fits } => {
                let fitting = expect == *state;
                let possible = fits.is_none_or(|fits| fits == fitting);
                possible.then_some(if fitting { Some(write) } else { *state })
            }
            Step::Absurd => None,
        }
    }
}

/// Numbers for the values of one key.
#[derive(Default)]
struct Values {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Values {
    fn span(&mut self, operation: &Operation) -> Option<Span<Step>> {
        let step = self.step(operation)?;
        let end = operation.returned.as_ref().map(|returned| returned.at);
        Some(Span { call: operation.call, end, operation: step })
    }

    /// None for an operation of a lock.
    fn step(&mut self, operation: &Operation) -> Option<Step> {
        let step = match (&operation.action, operation.answer()) {
            (Action::Read, Some(Answer::Value(value))) => {
                Step::Read(value.as_deref().map(|value| self.number(value)))
            }
            (Action::Write { value }, None | Some(Answer::Done(true))) => Step::Write(self.number(value)),
            (Action::Delete, None) => Step::Delete(None),
            (Action::Delete, Some(Answer::Done(there))) => Step::Delete(Some(*there)),
            (Action::Compare { expect, value }, answer @ (None | Some(Answer::Done(_)))) => {
                let fits = answer.map(|answer| *answer == Answer::Done(true));
                let expect = expect.as_deref().map(|expect| self.number(expect));
                Step::Compare { expect, write: self.number(value), fits }
            }
            (Action::Read | Action::Write { .. } | Action::Delete | Action::Compare { .. }, _) => {
                Step::Absurd
            }
            (Action::Acquire { .. } | Action::Renew { .. } | Action::Release { .. } | Action::Inspect, _) => {
                return None;
            }
        };
        Some(step)
    }

    fn number(&mut self, value: &str) -> u32 {
        if let Some(number) = self.numbers.get(value) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).expect("a history has fewer than 2^32 values");
        self.names.push(value.to_string());
        self.numbers.insert(value.to_string(), number);
        number
    }

    fn describe(&self, state: State) -> String {
        state.map_or("no value".to_string(), |number| format!("the value {}", self.names[number as usize]))
    }
}
