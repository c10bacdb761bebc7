//! Histories of a real register always pass; with one answer changed they do not.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use adsum_history::sample::{Chance, Sample};
use adsum_history::{Action, Answer, History, Operation, register, revision};
use proptest::prelude::*;

const BUDGET: u64 = 1_000_000;

/// Answers that can be changed, and how.
#[derive(Clone, Copy, Debug)]
enum Mutation {
    /// A read returns another value that was written.
    Value,
    /// A read carries another revision.
    Revision,
    /// Two writes have one revision.
    Twice,
    /// A read returns, with its revision, a value that had been overwritten before it began.
    Stale,
}

/// None when the history has no place for it.
fn mutate(history: &mut History, mutation: Mutation, chance: &mut Chance) -> Option<()> {
    let writes: Vec<Operation> =
        history.operations.iter().filter(|operation| operation.wrote()).cloned().collect();
    match mutation {
        Mutation::Twice => {
            let one = pick(&writes, chance)?;
            let other = pick(&writes, chance).filter(|other| other.value() != one.value())?;
            let place = history.operations.iter().position(|operation| *operation == one)?;
            history.operations[place].returned.as_mut()?.revision = other.returned?.revision;
        }
        Mutation::Value => {
            let write = pick(&writes, chance)?;
            let read = pick_read(history, chance, |read| read.value() != write.value())?;
            read.returned.as_mut()?.answer = Answer::Value(write.value().map(str::to_string));
        }
        Mutation::Revision => {
            let read = pick_read(history, chance, |_| true)?;
            *read.returned.as_mut()?.revision.as_mut()? += 1 + chance.below(5);
        }
        Mutation::Stale => {
            let old = pick(&writes, chance)?;
            let end = old.returned.as_ref()?.at;
            let newer = writes.iter().find(|write| write.call > end)?.returned.as_ref()?.at;
            let read = pick_read(history, chance, |read| read.call > newer)?;
            let returned = read.returned.as_mut()?;
            returned.answer = Answer::Value(old.value().map(str::to_string));
            returned.revision = old.returned?.revision;
        }
    }
    Some(())
}

fn pick(operations: &[Operation], chance: &mut Chance) -> Option<Operation> {
    let count = u64::try_from(operations.len()).unwrap();
    (count > 0).then(|| operations[usize::try_from(chance.below(count)).unwrap()].clone())
}

/// A read that found something.
fn pick_read<'a>(
    history: &'a mut History,
    chance: &mut Chance,
    chosen: impl Fn(&Operation) -> bool,
) -> Option<&'a mut Operation> {
    let mut reads: Vec<&mut Operation> = history
        .operations
        .iter_mut()
        .filter(|operation| {
            operation.action == Action::Read && operation.value().is_some() && chosen(operation)
        })
        .collect();
    let count = u64::try_from(reads.len()).unwrap();
    (count > 0).then(|| reads.swap_remove(usize::try_from(chance.below(count)).unwrap()))
}

fn sample() -> impl Strategy<Value = Sample> {
    (any::<u64>(), 1..=8_u64, 20..=150_usize).prop_map(|(seed, clients, operations)| Sample {
        seed,
        clients,
        operations,
    })
}

fn mutation() -> impl Strategy<Value = Mutation> {
    use Mutation::{Revision, Stale, Twice, Value};
    prop_oneof![Just(Value), Just(Revision), Just(Twice), Just(Stale)]
}

proptest! {
    #[test]
    fn a_history_of_a_real_register_passes(sample in sample()) {
        let history = sample.history();
        register::check(&history, BUDGET).unwrap();
        let checked = revision::check(&history).unwrap();
        prop_assert!(checked.with_revision > 0);
    }

    #[test]
    fn one_changed_revision_or_value_is_always_found_by_revision(
        sample in sample(),
        mutation in mutation(),
        seed in any::<u64>(),
    ) {
        let mut history = sample.history();
        prop_assume!(mutate(&mut history, mutation, &mut Chance(seed)).is_some());
        prop_assert!(revision::check(&history).is_err());
    }
}

/// Every order that time allows, one after the other: too slow for anything but a few operations, and plainly right.
fn any_order_fits(left: &[Operation], value: Option<&str>) -> bool {
    let first_return = left.iter().filter_map(|operation| Some(operation.returned.as_ref()?.at)).min();
    let Some(first_return) = first_return else { return true };
    let may_be_next = |operation: &Operation| operation.call <= first_return;
    (0..left.len()).filter(|&position| may_be_next(&left[position])).any(|position| {
        let mut rest = left.to_vec();
        let operation = rest.remove(position);
        after(&operation, value).is_some_and(|value| any_order_fits(&rest, value))
    })
}

/// The value after it; none when it does not fit.
fn after<'a>(operation: &'a Operation, value: Option<&'a str>) -> Option<Option<&'a str>> {
    match (&operation.action, operation.answer()) {
        (Action::Read, Some(Answer::Value(read))) => (read.as_deref() == value).then_some(value),
        (Action::Write { value }, _) => Some(Some(value)),
        (Action::Delete, answer) => {
            answer.is_none_or(|answer| *answer == Answer::Done(value.is_some())).then_some(None)
        }
        (Action::Compare { expect, value: new }, answer) => {
            let fits = expect.as_deref() == value;
            let possible = answer.is_none_or(|answer| *answer == Answer::Done(fits));
            possible.then_some(if fits { Some(new.as_str()) } else { value })
        }
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Few operations with much overlap, of which one has a changed answer and one has lost its own.
    #[test]
    fn the_search_agrees_with_a_trial_of_every_order(
        seed in any::<u64>(),
        clients in 2..=4_u64,
        changed in any::<bool>(),
        lost in 0..20_usize,
    ) {
        let mut history = Sample { seed, clients, operations: 8 }.history();
        if changed {
            prop_assume!(mutate(&mut history, Mutation::Value, &mut Chance(seed)).is_some());
        }
        if let Some(operation) = history.operations.get_mut(lost)
            && !operation.action.only_reads()
        {
            operation.returned = None;
        }
        let expect = any_order_fits(&history.operations, None);
        prop_assert_eq!(register::check(&history, BUDGET).is_ok(), expect, "{:#?}", history.operations);
    }
}

/// A value that is changed at random may be one that an overlapping write has just made, so the search may rightly
/// accept a few; a stale read it never does.
#[test]
fn one_changed_value_is_almost_always_found_by_search() {
    let sampled = |mutation| {
        let tried = (0..300).filter_map(|seed| {
            let mut history = Sample { seed, clients: 5, operations: 400 }.history();
            mutate(&mut history, mutation, &mut Chance(seed))?;
            Some(register::check(&history, BUDGET).is_err())
        });
        let tried: Vec<bool> = tried.collect();
        (tried.iter().filter(|found| **found).count(), tried.len())
    };
    let (found, tried) = sampled(Mutation::Value);
    assert!(tried > 250 && found * 100 >= tried * 95, "{found} of {tried} changed values found");
    let (found, tried) = sampled(Mutation::Stale);
    assert!(tried > 200 && found == tried, "{found} of {tried} stale reads found");
}
