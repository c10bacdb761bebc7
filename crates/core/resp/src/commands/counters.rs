//! Strings that are numbers. <https://redis.io/docs/latest/commands/incr/>

use adsum_keyspace::{Blob, Deadline, Entry, Notice, Value};

use crate::command::{Command, ONE_KEY, WRITE, Work};
use crate::decimal;
use crate::number::{integer, parse_integer};
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("incr", 2, WRITE, ONE_KEY, |work| add(work, 1)),
    Command::keys("decr", 2, WRITE, ONE_KEY, |work| add(work, -1)),
    Command::keys("incrby", 3, WRITE, ONE_KEY, |work| add(work, integer(work.args[2])?)),
    Command::keys("decrby", 3, WRITE, ONE_KEY, decrby),
    Command::keys("incrbyfloat", 3, WRITE, ONE_KEY, incrbyfloat),
];

fn decrby(work: &mut Work<'_, '_>) -> Answer {
    let by = integer(work.args[2])?;
    add(work, by.checked_neg().ok_or(Refusal::Says("decrement would overflow"))?)
}

fn add(work: &mut Work<'_, '_>, by: i64) -> Answer {
    let (value, deadline) = read(work)?;
    let number = value.map_or(Some(0), |value| parse_integer(value)).ok_or(Refusal::NotInteger)?;
    let sum = number.checked_add(by).ok_or(Refusal::Overflow)?;
    put(work, itoa::Buffer::new().format(sum).into(), deadline, Notice::Incrby);
    work.out.integer(sum);
    Ok(())
}

fn incrbyfloat(work: &mut Work<'_, '_>) -> Answer {
    let by = work.args[2];
    let (value, deadline) = read(work)?;
    let sum =
        decimal::add(value.map_or(b"0".as_slice(), |value| value), by).map_err(|error| match error {
            decimal::Error::NotFloat => Refusal::NotFloat,
            decimal::Error::NotFinite => Refusal::Says("increment would produce NaN or Infinity"),
        })?;
    put(work, sum.as_str().into(), deadline, Notice::Incrbyfloat);
    work.out.text(&sum);
    Ok(())
}

/// What the key holds, and when it ends.
fn read<'x>(work: &'x mut Work<'_, '_>) -> Result<(Option<&'x Blob>, Option<Deadline>), Refusal> {
    match work.tx.get(work.db, work.args[1]) {
        None => Ok((None, None)),
        Some(Entry { value: Value::String(bytes), deadline, .. }) => Ok((Some(bytes), *deadline)),
        Some(_) => Err(Refusal::WrongType),
    }
}

/// Puts the new number; the key ends when it would have ended.
fn put(work: &mut Work<'_, '_>, number: Blob, deadline: Option<Deadline>, notice: Notice) {
    work.tx.put(work.db, work.args[1], Value::String(number), deadline, &[notice]);
}
