//! Calls and returns, put together to operations.
//!
//! ```text
//! client 1   |--write a--|            |--read -> a--|
//! client 2         |--write b ............................  connection lost: it may come into effect at any time
//!                                                            from its call on, or never
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use crate::event::{Action, Answer, Event, Happened, Outcome};

/// What was asked for, when, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub client: u64,
    pub key: String,
    pub action: Action,
    pub call: u64,
    /// None when nobody knows what came of it.
    pub returned: Option<Returned>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    pub at: u64,
    pub answer: Answer,
    pub revision: Option<u64>,
}

/// The operations of a run in the order of their calls. Those that certainly were not carried out are left out, and
/// so are reads of unknown outcome.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub operations: Vec<Operation>,
    pub faults: Vec<(u64, String)>,
}

/// A history that no well-behaved recorder writes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error(
        "client {0} calls at {1} ns before its last call has returned: give each thread a client id of its own"
    )]
    TwoCalls(u64, u64),
    #[error("client {0} has a return at {1} ns without a call")]
    NoCall(u64, u64),
    #[error("client {0} calls at {1} ns after an operation of unknown outcome: take a new client id")]
    Retired(u64, u64),
}

impl History {
    pub fn of(events: &[Event]) -> Result<History, Malformed> {
        let mut pairing = Pairing::default();
        for event in events {
            pairing.take(event)?;
        }
        Ok(pairing.end())
    }

    /// The operations of each key, in the order of their calls.
    pub fn by_key(&self) -> BTreeMap<&str, Vec<&Operation>> {
        let mut keys: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
        for operation in &self.operations {
            keys.entry(&operation.key).or_default().push(operation);
        }
        keys
    }
}

#[derive(Default)]
struct Pairing {
    /// By client.
    open: HashMap<u64, Operation>,
    retired: HashSet<u64>,
    history: History,
}

impl Pairing {
    fn take(&mut self, event: &Event) -> Result<(), Malformed> {
        match &event.happened {
            Happened::Call { client, key, action } => {
                if self.retired.contains(client) {
                    return Err(Malformed::Retired(*client, event.at));
                }
                let (key, action) = (key.clone(), action.clone());
                let operation = Operation { client: *client, key, action, call: event.at, returned: None };
                let before = self.open.insert(*client, operation);
                before.map_or(Ok(()), |_| Err(Malformed::TwoCalls(*client, event.at)))
            }
            Happened::Return { client, outcome } => {
                let called = self.open.remove(client).ok_or(Malformed::NoCall(*client, event.at))?;
                self.returned(called, outcome, event.at);
                Ok(())
            }
            Happened::Fault { fault } => {
                self.history.faults.push((event.at, fault.clone()));
                Ok(())
            }
        }
    }

    fn returned(&mut self, mut operation: Operation, outcome: &Outcome, at: u64) {
        match outcome {
            Outcome::Ok { answer, revision } => {
                operation.returned = Some(Returned { at, answer: answer.clone(), revision: *revision });
                self.history.operations.push(operation);
            }
            Outcome::Failed => {}
            Outcome::Unknown => {
                self.retired.insert(operation.client);
                self.unknown(operation);
            }
        }
    }

    fn unknown(&mut self, operation: Operation) {
        if !operation.action.only_reads() {
            self.history.operations.push(operation);
        }
    }

    /// What has not returned by now never will.
    fn end(mut self) -> History {
        let open: Vec<Operation> = self.open.drain().map(|(_, operation)| operation).collect();
        open.into_iter().for_each(|operation| self.unknown(operation));
        self.history.operations.sort_by_key(|operation| (operation.call, operation.client));
        self.history
    }
}

impl Operation {
    pub fn answer(&self) -> Option<&Answer> {
        self.returned.as_ref().map(|returned| &returned.answer)
    }

    /// Whether it certainly wrote its value.
    pub fn wrote(&self) -> bool {
        self.action.written().is_some() && self.answer() == Some(&Answer::Done(true))
    }

    /// The value that it has seen or made: of a read what it found, of a write that may have been carried out what it
    /// wrote.
    pub fn value(&self) -> Option<&str> {
        match (&self.action, self.answer()) {
            (Action::Read, Some(Answer::Value(value))) => value.as_deref(),
            (_, Some(Answer::Done(true)) | None) => self.action.written(),
            (_, Some(_)) => None,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "client {}: {} of {}", self.client, self.action, self.key)?;
        let Some(Returned { at, answer, revision }) = &self.returned else {
            return write!(out, " -> unknown (from {})", Moment(self.call));
        };
        write!(out, " -> {answer}")?;
        if let Some(revision) = revision {
            write!(out, " at revision {revision}")?;
        }
        write!(out, " ({} to {})", Moment(self.call), Moment(*at))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Read => write!(out, "read"),
            Action::Write { value } => write!(out, "write {value}"),
            Action::Delete => write!(out, "delete"),
            Action::Compare { expect: Some(expect), value } => write!(out, "compare {expect}, write {value}"),
            Action::Compare { expect: None, value } => write!(out, "compare with nothing, write {value}"),
            Action::Acquire { ttl } => write!(out, "acquire for {ttl:?}"),
            Action::Renew { fence, ttl } => write!(out, "renew {fence} for {ttl:?}"),
            Action::Release { fence } => write!(out, "release {fence}"),
            Action::Inspect => write!(out, "inspect"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Value(Some(value)) => write!(out, "{value}"),
            Answer::Value(None) => write!(out, "nothing"),
            Answer::Done(true) => write!(out, "done"),
            Answer::Done(false) => write!(out, "not done"),
            Answer::Fence(Some(fence)) => write!(out, "fence {fence}"),
            Answer::Fence(None) => write!(out, "no fence"),
            Answer::Fenced(current) => write!(out, "fenced by {current}"),
        }
    }
}

/// Nanoseconds as seconds.
struct Moment(u64);

impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{:06} s", self.0 / 1_000_000_000, self.0 % 1_000_000_000 / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(at: u64, client: u64, action: Action) -> Event {
        Event { at, happened: Happened::Call { client, key: "/a".to_string(), action } }
    }

    fn back(at: u64, client: u64, outcome: Outcome) -> Event {
        Event { at, happened: Happened::Return { client, outcome } }
    }

    fn done() -> Outcome {
        Outcome::Ok { answer: Answer::Done(true), revision: Some(4) }
    }

    fn write(value: &str) -> Action {
        Action::Write { value: value.to_string() }
    }

    #[track_caller]
    fn check(events: &[Event], expect: &[&str]) {
        let history = History::of(events).unwrap();
        let found: Vec<String> = history.operations.iter().map(Operation::to_string).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn a_call_and_its_return_are_one_operation() {
        let events = [call(1_000, 1, write("a")), call(2_000, 2, Action::Delete), back(3_000, 1, done())];
        let written = "client 1: write a of /a -> done at revision 4 (0.000001 s to 0.000003 s)";
        check(&events, &[written, "client 2: delete of /a -> unknown (from 0.000002 s)"]);
    }

    #[test]
    fn a_write_of_unknown_outcome_stays_open_and_a_read_is_forgotten() {
        let events = [
            call(1_000, 1, write("a")),
            back(2_000, 1, Outcome::Unknown),
            call(3_000, 2, Action::Read),
            back(4_000, 2, Outcome::Unknown),
            call(5_000, 3, write("b")),
            back(6_000, 3, Outcome::Failed),
        ];
        check(&events, &["client 1: write a of /a -> unknown (from 0.000001 s)"]);
    }

    #[test]
    fn a_recorder_that_is_wrong_is_told_so() {
        let twice = [call(1, 1, Action::Read), call(2, 1, Action::Read)];
        assert_eq!(History::of(&twice).unwrap_err(), Malformed::TwoCalls(1, 2));
        assert_eq!(History::of(&[back(1, 1, done())]).unwrap_err(), Malformed::NoCall(1, 1));
        let retired = [call(1, 1, write("a")), back(2, 1, Outcome::Unknown), call(3, 1, Action::Read)];
        assert_eq!(History::of(&retired).unwrap_err(), Malformed::Retired(1, 3));
    }
}
