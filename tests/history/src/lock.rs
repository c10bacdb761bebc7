//! A lock with fences: acquire, renew, release, inspect, and the server's own expiry. Checked by search, key by key.
//!
//! ```text
//!                       acquire -> 5                     release 5 -> fenced by 9
//! client 1           |---------------|                         |-----|
//! client 2                                       |----------|  acquire -> 9
//! server                    |........ expires 5 ....................... (from the call of the acquire + TTL on)
//! ```
//!
//! The state is who holds it under which fence, and the highest fence so far. Expiry is an operation of the server
//! that nobody sees: each grant and each renewal brings one, which may come into effect from its call plus the TTL
//! on, or never, and only if no later renewal has replaced it. So two holders at once, a fence that does not grow, an
//! expiry that comes early and a release under an old fence all leave no order that fits.
//!
//! The TTL of a grant that had to be waited for counts from the call of the acquire too, since nobody outside knows
//! when it was granted: there, an expiry that is early by less than the wait is not seen.

use std::marker::PhantomData;

use crate::event::{Action, Answer};
use crate::operation::{History, Operation};
use crate::search::{Model, Span, search};
use crate::verdict::{Failure, Searched};

/// Searches for an order on every key, in at most `budget` steps each. Other operations are left out.
pub fn check(history: &History, budget: u64) -> Result<Searched, Failure> {
    let mut searched = Searched::default();
    for all in history.by_key().values() {
        let operations: Vec<&Operation> =
            all.iter().copied().filter(|operation| concerns(operation)).collect();
        let spans = spans(&operations);
        let verdict = search(&Lock::default(), &spans, budget);
        let name = |position: usize| match spans[position].operation {
            Step::Expire { lease } => format!("expiry of what this gave: {}", operations[lease]),
            Step::Asked { position, .. } => operations[position].to_string(),
        };
        searched.add(&operations, verdict, name, describe)?;
    }
    Ok(searched)
}

fn concerns(operation: &Operation) -> bool {
    use Action::{Acquire, Inspect, Release, Renew};
    matches!(operation.action, Acquire { .. } | Renew { .. } | Release { .. } | Inspect)
}

fn spans<'a>(operations: &[&'a Operation]) -> Vec<Span<Step<'a>>> {
    let asked = operations.iter().enumerate().map(|(position, operation)| Span {
        call: operation.call,
        end: operation.returned.as_ref().map(|returned| returned.at),
        operation: Step::Asked { position, operation },
    });
    let expiries = operations.iter().enumerate().filter_map(|(lease, operation)| expiry(lease, operation));
    asked.chain(expiries).collect()
}

/// Of a grant or a renewal that was or may have been carried out.
fn expiry<'a>(lease: usize, operation: &Operation) -> Option<Span<Step<'a>>> {
    let ttl = match (&operation.action, operation.answer()) {
        (Action::Acquire { ttl }, None | Some(Answer::Fence(Some(_)))) => ttl,
        (Action::Renew { ttl, .. }, None | Some(Answer::Done(true))) => ttl,
        _ => return None,
    };
    let ttl = u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX);
    Some(Span { call: operation.call.saturating_add(ttl), end: None, operation: Step::Expire { lease } })
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Asked {
        position: usize,
        operation: &'a Operation,
    },
    /// Of what the operation at this position gave.
    Expire {
        lease: usize,
    },
}

/// Who holds it, and the highest fence that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    held: Option<Held>,
    highest: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Held {
    /// None while nobody knows: the answer to the acquire was lost.
    fence: Option<u64>,
    /// The position of the acquire or renewal whose TTL counts.
    lease: usize,
}

fn describe(state: &State) -> String {
    let highest = state.highest;
    match state.held {
        None => format!("the lock free, and {highest} the highest fence"),
        Some(Held { fence: Some(fence), .. }) => {
            format!("the lock held under {fence}, and {highest} the highest fence")
        }
        Some(Held { fence: None, .. }) => {
            format!("the lock held by one whose fence nobody knows, and {highest} the highest known")
        }
    }
}

#[derive(Default)]
struct Lock<'a>(PhantomData<&'a Operation>);

impl<'a> Model for Lock<'a> {
    type Operation = Step<'a>;
    type State = State;

    fn initial(&self) -> State {
        State::default()
    }

    fn step(&self, state: &State, step: &Step<'a>) -> Option<State> {
        match *step {
            Step::Expire { lease } => {
                state.held.is_some_and(|held| held.lease == lease).then_some(state.freed())
            }
            Step::Asked { position, operation } => state.asked(position, operation),
        }
    }
}

impl State {
    fn asked(self, position: usize, operation: &Operation) -> Option<State> {
        match (&operation.action, operation.answer()) {
            (Action::Acquire { .. }, Some(Answer::Fence(Some(fence)))) => {
                self.granted(Some(*fence), position)
            }
            (Action::Acquire { .. }, None) => self.granted(None, position),
            (Action::Acquire { .. }, Some(Answer::Fence(None))) => self.held.map(|_| self),
            (Action::Renew { fence, .. }, Some(Answer::Done(true)) | None) => {
                let state = self.under(*fence)?;
                Some(State { held: Some(Held { fence: Some(*fence), lease: position }), ..state })
            }
            (Action::Release { fence }, Some(Answer::Done(true)) | None) => {
                self.under(*fence).map(State::freed)
            }
            (Action::Renew { fence, .. } | Action::Release { fence }, Some(Answer::Fenced(current))) => {
                if fence == current {
                    None
                } else {
                    self.seen_as(*current)
                }
            }
            (Action::Inspect, Some(Answer::Fence(fence))) => self.seen_as(fence.unwrap_or(0)),
            _ => None,
        }
    }

    fn granted(self, fence: Option<u64>, lease: usize) -> Option<State> {
        let grows = fence.is_none_or(|fence| fence > self.highest);
        let highest = self.highest.max(fence.unwrap_or(0));
        (self.held.is_none() && grows).then_some(State { held: Some(Held { fence, lease }), highest })
    }

    fn freed(self) -> State {
        State { held: None, ..self }
    }

    /// As somebody sees it: held under this fence, or by nobody when 0.
    fn seen_as(self, fence: u64) -> Option<State> {
        if fence == 0 { self.held.is_none().then_some(self) } else { self.under(fence) }
    }

    /// Held under this fence. Of a grant whose answer was lost, that is how its fence comes to be known.
    fn under(self, fence: u64) -> Option<State> {
        let held = self.held?;
        match held.fence {
            Some(known) => (known == fence).then_some(self),
            None if fence > self.highest => {
                Some(State { held: Some(Held { fence: Some(fence), ..held }), highest: fence })
            }
            None => None,
        }
    }
}
