//! Strings that are numbers. <https://redis.io/docs/latest/commands/incr/>

use adsum_keyspace::{Notice, Value};

use super::strings;
use crate::command::{Command, FAST, ONE_KEY, WRITE, Work};
use crate::decimal;
use crate::number::{integer, parse_integer};
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("incr", 2, WRITE.and(FAST), ONE_KEY, |work| add(work, 1)),
    Command::keys("decr", 2, WRITE.and(FAST), ONE_KEY, |work| add(work, -1)),
    Command::keys("incrby", 3, WRITE.and(FAST), ONE_KEY, |work| add(work, integer(work.args[2])?)),
    Command::keys("decrby", 3, WRITE.and(FAST), ONE_KEY, decrby),
    Command::keys("incrbyfloat", 3, WRITE.and(FAST), ONE_KEY, incrbyfloat),
];

fn decrby(work: &mut Work<'_, '_>) -> Answer {
    let by = integer(work.args[2])?;
    add(work, by.checked_neg().ok_or(Refusal::Says("decrement would overflow"))?)
}

fn add(work: &mut Work<'_, '_>, by: i64) -> Answer {
    let number = match strings::read(work.tx, work.db, work.args[1])? {
        Some(value) => parse_integer(value).ok_or(Refusal::NotInteger)?,
        None => 0,
    };
    let sum = number.checked_add(by).ok_or(Refusal::Overflow)?;
    put(work, &sum.to_string(), Notice::Incrby);
    work.out.integer(sum);
    Ok(())
}

fn incrbyfloat(work: &mut Work<'_, '_>) -> Answer {
    let number = strings::read(work.tx, work.db, work.args[1])?.map_or(b"0".as_slice(), |value| value);
    let sum = decimal::add(number, work.args[2]).map_err(|error| match error {
        decimal::Error::NotFloat => Refusal::NotFloat,
        decimal::Error::NotFinite => Refusal::Says("increment would produce NaN or Infinity"),
    })?;
    put(work, &sum, Notice::Incrbyfloat);
    work.out.text(&sum);
    Ok(())
}

/// Puts the new number; the key ends when it would have ended.
fn put(work: &mut Work<'_, '_>, number: &str, notice: Notice) {
    let deadline = work.tx.get(work.db, work.args[1]).and_then(|entry| entry.deadline);
    work.tx.put(work.db, work.args[1], Value::String(number.into()), deadline, &[notice]);
}
