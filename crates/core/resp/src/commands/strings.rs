//! Strings read and written. <https://redis.io/docs/latest/commands/?group=string>

use adsum_keyspace::{Blob, Database, Notice, Transaction, Value, limits};

use crate::command::{ALL_KEYS, Command, KeysAt, ONE_KEY, READ, WRITE, Work};
use crate::number::integer;
use crate::refusal::{Answer, Refusal, check_reply};

const PAIRS: KeysAt = KeysAt::Range { first: 1, last: -1, step: 2 };

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("get", 2, READ, ONE_KEY, get),
    Command::keys("getset", 3, WRITE, ONE_KEY, getset),
    Command::keys("getdel", 2, WRITE, ONE_KEY, getdel),
    Command::keys("mget", -2, READ, ALL_KEYS, mget),
    Command::keys("mset", -3, WRITE, PAIRS, mset),
    Command::keys("msetnx", -3, WRITE, PAIRS, msetnx),
    Command::keys("append", 3, WRITE, ONE_KEY, append),
    Command::keys("strlen", 2, READ, ONE_KEY, strlen),
    Command::keys("getrange", 4, READ, ONE_KEY, getrange),
    Command::keys("substr", 4, READ, ONE_KEY, getrange),
    Command::keys("setrange", 4, WRITE, ONE_KEY, setrange),
];

/// The string at `key`.
pub(super) fn read<'x>(
    tx: &'x mut Transaction<'_>,
    db: Database,
    key: &[u8],
) -> Result<Option<&'x Blob>, Refusal> {
    match tx.get(db, key).map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::String(bytes)) => Ok(Some(bytes)),
        Some(_) => Err(Refusal::WrongType),
    }
}

/// Refuses what is too long for a string or an element.
pub(super) fn check_length(length: usize) -> Answer {
    if length > limits::VALUE { Err(Refusal::ValueTooLong(length)) } else { Ok(()) }
}

fn get(work: &mut Work<'_, '_>) -> Answer {
    let value = read(work.tx, work.db, work.args[1])?;
    work.out.bulk_or_null(value.map(Blob::as_slice));
    Ok(())
}

fn getset(work: &mut Work<'_, '_>) -> Answer {
    check_length(work.args[2].len())?;
    get(work)?;
    put(work, work.args[1], work.args[2]);
    Ok(())
}

fn getdel(work: &mut Work<'_, '_>) -> Answer {
    get(work)?;
    work.tx.delete(work.db, work.args[1], Notice::Del);
    Ok(())
}

fn mget(work: &mut Work<'_, '_>) -> Answer {
    work.out.array(work.args.len() - 1);
    for key in &work.args[1..] {
        // A key of another type counts as missing here.
        let value = read(work.tx, work.db, key).unwrap_or(None);
        work.out.bulk_or_null(value.map(Blob::as_slice));
        check_reply(work.out.mark())?;
    }
    Ok(())
}

fn mset(work: &mut Work<'_, '_>) -> Answer {
    check_pairs(work, "mset")?;
    put_pairs(work);
    work.out.ok();
    Ok(())
}

fn msetnx(work: &mut Work<'_, '_>) -> Answer {
    check_pairs(work, "msetnx")?;
    let free = work.args[1..].iter().step_by(2).all(|key| work.tx.get(work.db, key).is_none());
    if free {
        put_pairs(work);
    }
    work.out.boolean(free);
    Ok(())
}

fn check_pairs(work: &Work<'_, '_>, command: &'static str) -> Answer {
    if work.args.len().is_multiple_of(2) {
        return Err(Refusal::Arity(command));
    }
    work.args[2..].iter().step_by(2).try_for_each(|value| check_length(value.len()))
}

fn put_pairs(work: &mut Work<'_, '_>) {
    for pair in work.args[1..].chunks_exact(2) {
        put(work, pair[0], pair[1]);
    }
}

fn put(work: &mut Work<'_, '_>, key: &[u8], value: &[u8]) {
    work.tx.put(work.db, key, Value::String(value.into()), None, &[Notice::Set]);
}

fn append(work: &mut Work<'_, '_>) -> Answer {
    let (key, tail) = (work.args[1], work.args[2]);
    let before = read(work.tx, work.db, key)?.map(|value| value.len());
    let length = before.unwrap_or(0) + tail.len();
    check_length(length)?;
    match before {
        Some(_) => work.tx.append(work.db, key, tail),
        None => work.tx.put(work.db, key, Value::String(tail.into()), None, &[Notice::Append]),
    }
    work.out.count(length);
    Ok(())
}

fn strlen(work: &mut Work<'_, '_>) -> Answer {
    let value = read(work.tx, work.db, work.args[1])?;
    work.out.count(value.map_or(0, |value| value.len()));
    Ok(())
}

fn getrange(work: &mut Work<'_, '_>) -> Answer {
    let (start, end) = (integer(work.args[2])?, integer(work.args[3])?);
    let value = read(work.tx, work.db, work.args[1])?.map_or(&[][..], |value| value.as_slice());
    work.out.bulk(part(value, start, end));
    Ok(())
}

/// The bytes from `start` to `end` inclusive, which count from the end when negative. An end before the first byte is
/// the first byte, as in Redis: unlike a range of a list, which is empty then.
fn part(value: &[u8], start: i64, end: i64) -> &[u8] {
    let from_end = |at: i64| if at < 0 { at.saturating_add(value.len() as i64).max(0) } else { at };
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let (start, end) = (from_end(start) as usize, from_end(end).saturating_add(1) as usize);
    value.get(start..end.min(value.len())).unwrap_or_default()
}

fn setrange(work: &mut Work<'_, '_>) -> Answer {
    let (key, patch) = (work.args[1], work.args[3]);
    let offset =
        usize::try_from(integer(work.args[2])?).map_err(|_| Refusal::Says("offset is out of range"))?;
    let entry = work.tx.get(work.db, key);
    let deadline = entry.and_then(|entry| entry.deadline);
    let before = read(work.tx, work.db, key)?.map_or(&[][..], |value| value.as_slice());
    if patch.is_empty() {
        work.out.count(before.len());
        return Ok(());
    }
    let end = offset.saturating_add(patch.len());
    check_length(end)?;
    let mut bytes = before.to_vec();
    bytes.resize(bytes.len().max(end), 0);
    bytes[offset..end].copy_from_slice(patch);
    work.out.count(bytes.len());
    work.tx.put(work.db, key, Value::String(bytes.into()), deadline, &[Notice::Setrange]);
    Ok(())
}
