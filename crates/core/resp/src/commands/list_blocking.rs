//! Lists waited for. <https://redis.io/docs/latest/commands/blpop/>

use std::time::Duration;

use adsum_keyspace::{Blob, Kind};

use super::list_moves::{action, plan_many};
use super::lists::End;
use crate::blocking::{Action, Ready};
use crate::command::{Command, KeysAt, TWO_KEYS, Timeout, Wait};
use crate::number::parse_float;
use crate::refusal::Refusal;

pub(super) const BEFORE_TIMEOUT: KeysAt = KeysAt::Range { first: 1, last: -2, step: 1 };

pub(super) const COMMANDS: &[Command] = &[
    Command::blocking("blpop", -3, BEFORE_TIMEOUT, |args| pop(args, End::Left)).unscripted(),
    Command::blocking("brpop", -3, BEFORE_TIMEOUT, |args| pop(args, End::Right)).unscripted(),
    Command::blocking("blmove", 6, TWO_KEYS, blmove).unscripted(),
    Command::blocking("brpoplpush", 4, TWO_KEYS, brpoplpush).unscripted(),
    Command::blocking("blmpop", -5, KeysAt::Counted { count: 2 }, blmpop),
];

/// A list got elements.
const LIST: Ready = Ready::Given(Kind::List);

fn pop(args: &[&[u8]], end: End) -> Result<Wait, Refusal> {
    let (keys, last) = args[1..].split_at(args.len() - 2);
    wait(keys, LIST, Action::Pop { end }, last[0])
}

fn blmove(args: &[&[u8]]) -> Result<Wait, Refusal> {
    let (from, into) = (End::parse(args[3])?, End::parse(args[4])?);
    wait(&args[1..2], LIST, action(args[2], from, into), args[5])
}

fn brpoplpush(args: &[&[u8]]) -> Result<Wait, Refusal> {
    wait(&args[1..2], LIST, action(args[2], End::Right, End::Left), args[3])
}

fn blmpop(args: &[&[u8]]) -> Result<Wait, Refusal> {
    let (keys, action) = plan_many(&args[2..])?;
    wait(keys, LIST, action, args[1])
}

pub(super) fn wait(keys: &[&[u8]], ready: Ready, action: Action, seconds: &[u8]) -> Result<Wait, Refusal> {
    let timeout = timeout(seconds)?;
    let keys = keys.iter().map(|key| Blob::from(*key)).collect();
    Ok(Wait { keys, ready, action, timeout })
}

/// Seconds with a fraction; 0 is for ever. Rounded up to milliseconds, so that a short one is no endless one.
fn timeout(word: &[u8]) -> Result<Timeout, Refusal> {
    let seconds = parse_float(word).filter(|seconds| seconds.is_finite());
    let seconds = seconds.ok_or(Refusal::Says("timeout is not a float or out of range"))?;
    if seconds < 0.0 {
        return Err(Refusal::Says("timeout is negative"));
    }
    let millis = (seconds * 1000.0).ceil();
    if millis > i64::MAX as f64 {
        return Err(Refusal::Says("timeout is out of range"));
    }
    Ok(if millis > 0.0 { Timeout::After(Duration::from_millis(millis as u64)) } else { Timeout::Never })
}
