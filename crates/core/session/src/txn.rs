//! Several verbs in one transaction: all of them are done, or none.

mod keys;
mod room;

use adsum_catalog::register::operation;
use adsum_keyspace::Transaction;

use crate::kv::NoSession;
use crate::{check, session};
use room::{FRAME, Room};

pub use keys::{Found, Operation, Verb};

/// Operations at most.
pub const OPERATIONS: usize = 128;

/// A part of a transaction: on a key, or on what clients register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(Operation),
    Registered(operation::Operation),
}

/// What a step has found or made.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Key(Found),
    Registered(operation::Found),
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which operation, from 0.
    pub operation: usize,
    pub what: String,
}

/// Does all of it in order, each operation on what those before it have left. What has failed is told of every
/// operation, and nothing is left of the others. Who reads too much is told that, and nothing more is done for it.
///
/// # Errors
/// With at least one.
pub fn run(tx: &mut Transaction<'_>, steps: &[Step]) -> Result<Vec<Outcome>, Vec<Failure>> {
    let (mut found, mut failures, mut room) = (Vec::new(), Vec::new(), Room::whole());
    for (number, step) in steps.iter().enumerate() {
        let done = match lost_by(tx, &steps[..number], step) {
            Some(lost) => Err(lost.to_string()),
            None => step.run(tx, &mut room),
        };
        match done {
            Ok(those) => found.extend(those),
            Err(what) => {
                failures.push(Failure { operation: number, what });
                found.clear();
            }
        }
        if room.is_exceeded() {
            break;
        }
    }
    if failures.is_empty() {
        return Ok(found);
    }
    tx.take_back();
    Err(failures)
}

impl Step {
    fn run(&self, tx: &mut Transaction<'_>, room: &mut Room) -> Result<Vec<Outcome>, String> {
        match self {
            Step::Key(operation) => {
                let found = operation.run(tx, room)?;
                Ok(found.into_iter().map(Outcome::Key).collect())
            }
            Step::Registered(operation) => {
                let Some((found, bytes)) = operation.run(tx)? else { return Ok(Vec::new()) };
                room.take(FRAME + bytes)?;
                Ok(vec![Outcome::Registered(found)])
            }
        }
    }
}

/// Why a step gets no lock: the steps before it have changed what its session lives with. Else whoever ends sessions would
/// do so a moment after.
fn lost_by(tx: &mut Transaction<'_>, before: &[Step], step: &Step) -> Option<NoSession> {
    let Step::Key(Operation { verb: Verb::Lock(id), .. }) = step else { return None };
    let writes =
        |step: &Step| matches!(step, Step::Registered(operation) if operation.verb != operation::Verb::Get);
    let session = before.iter().any(writes).then(|| session::valid(tx, id)).flatten()?.session;
    check::has_problem(tx, &session).then(|| NoSession::Invalid(id.clone()))
}

#[cfg(test)]
mod tests;
