//! When keys end. <https://redis.io/docs/latest/commands/expire/>
//!
//! A time to live runs on the tick, a moment on the wall clock. A moment that has passed deletes the key, with `del`
//! as in Redis.

use adsum_keyspace::{Deadline, Notice, Now};

use super::strings;
use crate::command::{Command, ONE_KEY, READ, WRITE, Work};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("expire", -3, WRITE, ONE_KEY, |work| expire(work, Unit::Seconds, "expire")),
    Command::keys("pexpire", -3, WRITE, ONE_KEY, |work| expire(work, Unit::Milliseconds, "pexpire")),
    Command::keys("expireat", -3, WRITE, ONE_KEY, |work| expire(work, Unit::AtSecond, "expireat")),
    Command::keys("pexpireat", -3, WRITE, ONE_KEY, |work| expire(work, Unit::AtMillisecond, "pexpireat")),
    Command::keys("persist", 2, WRITE, ONE_KEY, persist),
    Command::keys("ttl", 2, READ, ONE_KEY, |work| show(work, |d, now| seconds(d.rest(now)))),
    Command::keys("pttl", 2, READ, ONE_KEY, |work| show(work, Deadline::rest)),
    Command::keys("expiretime", 2, READ, ONE_KEY, |work| show(work, |d, now| seconds(d.unix(now)))),
    Command::keys("pexpiretime", 2, READ, ONE_KEY, |work| show(work, Deadline::unix)),
    Command::keys("getex", -2, WRITE, ONE_KEY, getex),
];

/// How an option or a command gives a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    AtSecond,
    AtMillisecond,
}

impl Unit {
    /// The option of SET and GETEX, in upper case.
    pub(super) fn parse(option: &[u8]) -> Option<Unit> {
        match option {
            b"EX" => Some(Unit::Seconds),
            b"PX" => Some(Unit::Milliseconds),
            b"EXAT" => Some(Unit::AtSecond),
            b"PXAT" => Some(Unit::AtMillisecond),
            _ => None,
        }
    }

    fn is_relative(self) -> bool {
        matches!(self, Unit::Seconds | Unit::Milliseconds)
    }

    /// Milliseconds, from now or as Unix time. None when they do not fit Redis' 64 bits.
    fn millis(self, number: i64, now: Now) -> Option<i64> {
        let millis = match self {
            Unit::Seconds | Unit::AtSecond => number.checked_mul(1000)?,
            Unit::Milliseconds | Unit::AtMillisecond => number,
        };
        if self.is_relative() {
            millis.checked_add(i64::try_from(now.wall).ok()?)?;
        }
        Some(millis)
    }

    /// None when it has passed.
    fn deadline(self, millis: i64, now: Now) -> Option<Deadline> {
        let millis = u64::try_from(millis).ok().filter(|millis| *millis > 0)?;
        let deadline = if self.is_relative() { Deadline::after(millis, now) } else { Deadline::wall(millis) };
        (!deadline.is_due(now)).then_some(deadline)
    }
}

/// The deadline that an option gives to a value that is just being written. One that has passed already is due at
/// once.
pub(super) fn deadline(
    number: &[u8],
    unit: Unit,
    command: &'static str,
    now: Now,
) -> Result<Deadline, Refusal> {
    let number = integer(number)?;
    let millis = unit.millis(number, now).filter(|_| number > 0).ok_or(Refusal::ExpireTime(command))?;
    let millis = millis.unsigned_abs();
    Ok(if unit.is_relative() { Deadline::after(millis, now) } else { Deadline::wall(millis) })
}

/// NX, XX, GT, LT.
#[derive(Clone, Copy, Default)]
struct Conditions {
    missing: bool,
    present: bool,
    greater: bool,
    less: bool,
}

fn expire(work: &mut Work<'_, '_>, unit: Unit, command: &'static str) -> Answer {
    let now = work.tx.now();
    let conditions = Conditions::parse(&work.args[3..])?;
    let number = integer(work.args[2])?;
    let millis = unit.millis(number, now).ok_or(Refusal::ExpireTime(command))?;
    let Some(entry) = work.tx.get(work.db, work.args[1]) else {
        work.out.integer(0);
        return Ok(());
    };
    let unix = if unit.is_relative() { millis + now.wall as i64 } else { millis };
    let done = conditions.hold(entry.deadline, unix, now);
    if done {
        set_deadline(work, unit.deadline(millis, now));
    }
    work.out.boolean(done);
    Ok(())
}

/// Gives the key that is there a new deadline, or deletes it if that has passed.
fn set_deadline(work: &mut Work<'_, '_>, deadline: Option<Deadline>) {
    let (db, key) = (work.db, work.args[1]);
    match deadline {
        Some(deadline) => work.tx.set_deadline(db, key, Some(deadline), Notice::Expire),
        None => {
            work.tx.delete(db, key, Notice::Del);
        }
    }
}

impl Conditions {
    fn parse(words: &[&[u8]]) -> Result<Conditions, Refusal> {
        let mut conditions = Conditions::default();
        for word in words {
            match word.to_ascii_uppercase().as_slice() {
                b"NX" => conditions.missing = true,
                b"XX" => conditions.present = true,
                b"GT" => conditions.greater = true,
                b"LT" => conditions.less = true,
                _ => {
                    let word = String::from_utf8_lossy(word);
                    return Err(Refusal::Told(format!("ERR Unsupported option {word}")));
                }
            }
        }
        let Conditions { missing, present, greater, less } = conditions;
        if missing && (present || greater || less) {
            return Err(Refusal::Says("NX and XX, GT or LT options at the same time are not compatible"));
        }
        if greater && less {
            return Err(Refusal::Says("GT and LT options at the same time are not compatible"));
        }
        Ok(conditions)
    }

    /// Whether a deadline may be replaced by one at `unix` milliseconds. None is later than all others.
    fn hold(self, before: Option<Deadline>, unix: i64, now: Now) -> bool {
        let before = before.map(|deadline| i64::try_from(deadline.unix(now)).unwrap_or(i64::MAX));
        !(self.missing && before.is_some()
            || self.present && before.is_none()
            || self.greater && before.is_none_or(|before| unix <= before)
            || self.less && before.is_some_and(|before| unix >= before))
    }
}

fn persist(work: &mut Work<'_, '_>) -> Answer {
    let done = has_deadline(work);
    if done {
        work.tx.set_deadline(work.db, work.args[1], None, Notice::Persist);
    }
    work.out.boolean(done);
    Ok(())
}

fn has_deadline(work: &mut Work<'_, '_>) -> bool {
    work.tx.get(work.db, work.args[1]).is_some_and(|entry| entry.deadline.is_some())
}

/// -2 for a key that is not there, -1 for one that does not end.
fn show(work: &mut Work<'_, '_>, number: fn(Deadline, Now) -> u64) -> Answer {
    let now = work.tx.now();
    let shown = match work.tx.get(work.db, work.args[1]).map(|entry| entry.deadline) {
        None => -2,
        Some(None) => -1,
        Some(Some(deadline)) => i64::try_from(number(deadline, now)).unwrap_or(i64::MAX),
    };
    work.out.integer(shown);
    Ok(())
}

/// Rounded as Redis does.
fn seconds(millis: u64) -> u64 {
    millis.saturating_add(500) / 1000
}

/// `GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]`
fn getex(work: &mut Work<'_, '_>) -> Answer {
    let now = work.tx.now();
    let change = getex_options(&work.args[2..])?;
    let Some(value) = strings::read(work.tx, work.db, work.args[1])? else {
        work.out.null();
        return Ok(());
    };
    // Of a key that is not there no time is looked at.
    let change = match change {
        Some(Some((number, unit))) => Some(Some(deadline(number, unit, "getex", now)?)),
        Some(None) => Some(None),
        None => None,
    };
    work.out.bulk(value);
    match change {
        Some(None) if has_deadline(work) => {
            work.tx.set_deadline(work.db, work.args[1], None, Notice::Persist)
        }
        Some(Some(deadline)) => set_deadline(work, Some(deadline).filter(|deadline| !deadline.is_due(now))),
        Some(_) | None => {}
    }
    Ok(())
}

/// `PERSIST`, or a time and its unit, or neither. The same may be said again.
type Wanted<'a> = Option<Option<(&'a [u8], Unit)>>;

fn getex_options<'a>(words: &[&'a [u8]]) -> Result<Wanted<'a>, Refusal> {
    let mut wanted: Wanted<'a> = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let word = word.to_ascii_uppercase();
        wanted = match (Unit::parse(&word), wanted) {
            (None, None | Some(None)) if word == b"PERSIST" => Some(None),
            (Some(unit), None) => Some(Some((words.next().ok_or(Refusal::Syntax)?, unit))),
            (Some(unit), Some(Some((_, before)))) if before == unit => {
                Some(Some((words.next().ok_or(Refusal::Syntax)?, unit)))
            }
            _ => return Err(Refusal::Syntax),
        };
    }
    Ok(wanted)
}
