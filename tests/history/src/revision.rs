//! Whether the revisions that a server gave out agree with values and with time: in the time of a sort, however many
//! operations overlap.
//!
//! - A revision of a key has one value, and a value one revision: each is written once.
//! - A read returns the value of its revision, and one that somebody had begun to write by then.
//! - An operation that began after another had returned has a revision that is not lower (reads, of the same key)
//!   or that is higher (writes, of any key: all keys share one line of revisions).
//!
//! A read of a missing key carries the revision as of which it was missing. An answer without a revision takes that of
//! its value, if anybody else was told it; so a client of one protocol is checked by what a client of another saw.

use std::collections::HashMap;

use crate::event::{Action, Answer};
use crate::operation::{History, Operation};
use crate::verdict::Failure;

/// How much of a history that passed could be checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub operations: usize,
    /// Those that carried a revision, or whose value had one.
    pub with_revision: usize,
}

pub fn check(history: &History) -> Result<Checked, Failure> {
    let mut dated = Vec::new();
    for operations in history.by_key().values() {
        let known = Known::of(operations)?;
        let of_key: Vec<Dated<'_>> =
            operations.iter().filter_map(|operation| known.date(operation)).collect();
        in_order(&of_key, |dated| !dated.writes, |revision, floor| revision >= floor)?;
        dated.extend(of_key);
    }
    in_order(&dated, |dated| dated.writes, |revision, floor| revision > floor)?;
    Ok(Checked { operations: history.operations.len(), with_revision: dated.len() })
}

/// An operation whose revision is known.
#[derive(Clone, Copy)]
struct Dated<'a> {
    operation: &'a Operation,
    revision: u64,
    writes: bool,
}

/// What is known of one key.
struct Known<'a> {
    revision_of: HashMap<&'a str, u64>,
}

impl<'a> Known<'a> {
    fn of(operations: &[&'a Operation]) -> Result<Known<'a>, Failure> {
        let mut by_revision: HashMap<u64, (Option<&str>, &Operation)> = HashMap::new();
        let mut by_value: HashMap<&str, (u64, &Operation)> = HashMap::new();
        for operation in operations.iter().copied() {
            let Some((revision, value)) = stated(operation) else { continue };
            let (before, witness) = by_revision.entry(revision).or_insert((value, operation));
            if *before != value {
                return Err(two("one revision has two values", witness, operation));
            }
            let Some(value) = value else { continue };
            let (before, witness) = by_value.entry(value).or_insert((revision, operation));
            if *before != revision {
                return Err(two("one value has two revisions", witness, operation));
            }
        }
        written_before(operations)?;
        written_once(operations)?;
        let revision_of = by_value.into_iter().map(|(value, (revision, _))| (value, revision)).collect();
        Ok(Known { revision_of })
    }

    fn date(&self, operation: &'a Operation) -> Option<Dated<'a>> {
        let carried = operation.returned.as_ref().and_then(|returned| returned.revision);
        let revision = carried.or_else(|| self.revision_of.get(operation.value()?).copied())?;
        let writes = !operation.action.only_reads() && operation.answer().is_none_or(took_effect);
        Some(Dated { operation, revision, writes })
    }
}

fn took_effect(answer: &Answer) -> bool {
    matches!(answer, Answer::Done(true) | Answer::Fence(Some(_)))
}

/// The revision and the value that an answer states.
fn stated(operation: &Operation) -> Option<(u64, Option<&str>)> {
    let revision = operation.returned.as_ref()?.revision?;
    let of_value = operation.wrote() || matches!(operation.action, Action::Read);
    of_value.then(|| (revision, operation.value()))
}

/// Every value that was read had been begun to be written.
fn written_before(operations: &[&Operation]) -> Result<(), Failure> {
    let calls: HashMap<&str, &Operation> =
        operations.iter().filter_map(|operation| Some((operation.action.written()?, *operation))).collect();
    let reads = operations.iter().filter(|operation| operation.action.only_reads());
    for read in reads {
        let (Some(value), Some(returned)) = (read.value(), &read.returned) else { continue };
        match calls.get(value) {
            None => return Err(Failure::Violated(format!("nobody wrote what this has read:\n  {read}"))),
            Some(write) if write.call > returned.at => {
                return Err(two("a value was read before it was written", read, write));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Of all compares with one value, or with nothing since a deletion, one is carried out: the next finds another value.
fn written_once(operations: &[&Operation]) -> Result<(), Failure> {
    let mut by_expected: HashMap<&str, &Operation> = HashMap::new();
    for operation in operations.iter().copied().filter(|operation| operation.wrote()) {
        let Action::Compare { expect: Some(expect), .. } = &operation.action else { continue };
        if let Some(before) = by_expected.insert(expect, operation) {
            return Err(two("two compares with one value were carried out", before, operation));
        }
    }
    Ok(())
}

/// Sweeps over time: those that are `chosen` must stand in this relation to the highest revision that had been
/// returned when they were called.
fn in_order(
    dated: &[Dated<'_>],
    chosen: impl Fn(&Dated<'_>) -> bool,
    holds: impl Fn(u64, u64) -> bool,
) -> Result<(), Failure> {
    let mut calls: Vec<&Dated<'_>> = dated.iter().filter(|dated| chosen(dated)).collect();
    calls.sort_by_key(|dated| dated.operation.call);
    let mut returns: Vec<(u64, &Dated<'_>)> =
        dated.iter().filter_map(|dated| Some((dated.operation.returned.as_ref()?.at, dated))).collect();
    returns.sort_by_key(|(at, _)| *at);
    let mut returns = returns.into_iter().peekable();
    let mut floor: Option<&Dated<'_>> = None;
    for called in calls {
        while let Some((_, returned)) = returns.next_if(|(at, _)| *at < called.operation.call) {
            if floor.is_none_or(|floor| returned.revision > floor.revision) {
                floor = Some(returned);
            }
        }
        if let Some(floor) = floor
            && !holds(called.revision, floor.revision)
        {
            let what = format!("revision {} came after revision {}", called.revision, floor.revision);
            return Err(two(&what, floor.operation, called.operation));
        }
    }
    Ok(())
}

fn two(what: &str, one: &Operation, other: &Operation) -> Failure {
    Failure::Violated(format!("{what}:\n  {one}\n  {other}"))
}
