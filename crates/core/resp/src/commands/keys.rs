//! Keys of any type. <https://redis.io/docs/latest/commands/?group=generic>

use adsum_keyspace::{Database, Entry, Notice};

use super::strings;
use crate::command::{ALL_KEYS, Command, KeysAt, ONE_KEY, READ, TWO_KEYS, WRITE, Work};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("del", -2, WRITE, ALL_KEYS, del),
    Command::keys("unlink", -2, WRITE, ALL_KEYS, del),
    Command::keys("delex", -2, WRITE, ONE_KEY, delex),
    Command::keys("delifeq", 3, WRITE, ONE_KEY, delifeq),
    Command::keys("exists", -2, READ, ALL_KEYS, exists),
    Command::keys("touch", -2, READ, ALL_KEYS, exists),
    Command::keys("type", 2, READ, ONE_KEY, type_of),
    Command::keys("rename", 3, WRITE, TWO_KEYS, rename),
    Command::keys("renamenx", 3, WRITE, TWO_KEYS, renamenx),
    Command::keys("copy", -3, WRITE, TWO_KEYS, copy),
    Command::keys("move", 3, WRITE, ONE_KEY, move_key),
    Command::keys("randomkey", 1, READ, KeysAt::None, randomkey),
    Command::keys("dbsize", 1, READ, KeysAt::None, dbsize),
    Command::keys("flushdb", -1, WRITE, KeysAt::None, flushdb),
    Command::keys("flushall", -1, WRITE, KeysAt::None, flushall),
];

fn del(work: &mut Work<'_, '_>) -> Answer {
    let deleted = work.args[1..].iter().filter(|key| delete(work, key)).count();
    work.out.count(deleted);
    Ok(())
}

/// A lock of somebody else goes as in Redis, and the commit says what happened.
fn delete(work: &mut Work<'_, '_>, key: &[u8]) -> bool {
    let Some(fence) = work.tx.get(work.db, key).map(|entry| entry.created) else { return false };
    let breaks = work.grants.breaks(&(work.db, key.into()), fence, work.client);
    let notices: &[Notice] = if breaks { &[Notice::Del, Notice::LockBroken] } else { &[Notice::Del] };
    work.tx.delete_with(work.db, key, notices)
}

/// `DELEX key [IFEQ value | IFNE value]`, of Redis 8.4: how to release a lock that is one's own.
fn delex(work: &mut Work<'_, '_>) -> Answer {
    match work.args[2..] {
        [] => delete_if(work, |_| true),
        [condition, value] if condition.eq_ignore_ascii_case(b"IFEQ") => {
            check_string(work)?;
            delete_if(work, |entry| is(entry, value))
        }
        [condition, value] if condition.eq_ignore_ascii_case(b"IFNE") => {
            check_string(work)?;
            delete_if(work, |entry| !is(entry, value))
        }
        _ => return Err(Refusal::Syntax),
    }
    Ok(())
}

/// The same in Valkey's words.
fn delifeq(work: &mut Work<'_, '_>) -> Answer {
    check_string(work)?;
    let value = work.args[2];
    delete_if(work, |entry| is(entry, value));
    Ok(())
}

fn check_string(work: &mut Work<'_, '_>) -> Answer {
    strings::read(work.tx, work.db, work.args[1]).map(|_| ())
}

fn is(entry: &Entry, value: &[u8]) -> bool {
    matches!(&entry.value, adsum_keyspace::Value::String(bytes) if bytes.as_slice() == value)
}

fn delete_if(work: &mut Work<'_, '_>, condition: impl FnOnce(&Entry) -> bool) {
    let (db, key) = (work.db, work.args[1]);
    let holds = work.tx.get(db, key).is_some_and(condition);
    let deleted = holds && work.tx.delete(db, key, Notice::Del);
    work.out.boolean(deleted);
}

/// A key that is named twice counts twice.
fn exists(work: &mut Work<'_, '_>) -> Answer {
    let there = work.args[1..].iter().filter(|key| work.tx.get(work.db, key).is_some()).count();
    work.out.count(there);
    Ok(())
}

fn type_of(work: &mut Work<'_, '_>) -> Answer {
    let entry = work.tx.get(work.db, work.args[1]);
    work.out.simple(entry.map_or("none", |entry| entry.value.kind().as_str()));
    Ok(())
}

fn rename(work: &mut Work<'_, '_>) -> Answer {
    check_source(work)?;
    if work.args[1] != work.args[2] {
        move_entry(work);
    }
    work.out.ok();
    Ok(())
}

fn renamenx(work: &mut Work<'_, '_>) -> Answer {
    check_source(work)?;
    let free = work.tx.get(work.db, work.args[2]).is_none();
    if free {
        move_entry(work);
    }
    work.out.boolean(free);
    Ok(())
}

fn check_source(work: &mut Work<'_, '_>) -> Answer {
    work.tx.get(work.db, work.args[1]).map(drop).ok_or(Refusal::NoSuchKey)
}

fn move_entry(work: &mut Work<'_, '_>) {
    let (from, to) = ((work.db, work.args[1]), (work.db, work.args[2]));
    work.tx.rename(from, to, (Notice::RenameFrom, Notice::RenameTo));
}

fn copy(work: &mut Work<'_, '_>) -> Answer {
    let (mut to, mut replace) = (work.db, false);
    let mut words = work.args[3..].iter();
    while let Some(word) = words.next() {
        match word.to_ascii_uppercase().as_slice() {
            b"REPLACE" => replace = true,
            b"DB" => to = database(words.next().ok_or(Refusal::Syntax)?)?,
            _ => return Err(Refusal::Syntax),
        }
    }
    if to == work.db && work.args[1] == work.args[2] {
        return Err(Refusal::Says("source and destination objects are the same"));
    }
    let free = replace || work.tx.get(to, work.args[2]).is_none();
    let (from, to) = ((work.db, work.args[1]), (to, work.args[2]));
    let copied = free && work.tx.copy(from, to, Notice::CopyTo);
    work.out.boolean(copied);
    Ok(())
}

fn move_key(work: &mut Work<'_, '_>) -> Answer {
    let (to, key) = (database(work.args[2])?, work.args[1]);
    if to == work.db {
        return Err(Refusal::Says("source and destination objects are the same"));
    }
    let free = work.tx.get(to, key).is_none();
    let notices = (Notice::MoveFrom, Notice::MoveTo);
    let moved = free && work.tx.rename((work.db, key), (to, key), notices);
    work.out.boolean(moved);
    Ok(())
}

/// The user database with this number.
pub(super) fn database(number: &[u8]) -> Result<Database, Refusal> {
    let number = i32::try_from(integer(number)?)
        .map_err(|_| Refusal::Says("value is out of range, value must between -2147483648 and 2147483647"))?;
    let number = u8::try_from(number).map_err(|_| Refusal::NoSuchDatabase)?;
    if number < Database::USERS { Ok(Database::User(number)) } else { Err(Refusal::NoSuchDatabase) }
}

fn randomkey(work: &mut Work<'_, '_>) -> Answer {
    let keys = work.tx.keys(work.db);
    let picked = (!keys.is_empty()).then(|| keys.nth(work.lot.below(keys.len()))).flatten();
    work.out.bulk_or_null(picked.map(|(key, _)| key.as_slice()));
    Ok(())
}

fn dbsize(work: &mut Work<'_, '_>) -> Answer {
    let count = work.tx.keys(work.db).len();
    work.out.count(count);
    Ok(())
}

fn flushdb(work: &mut Work<'_, '_>) -> Answer {
    check_flush(work)?;
    flush(work, work.db);
    work.out.ok();
    Ok(())
}

fn flushall(work: &mut Work<'_, '_>) -> Answer {
    check_flush(work)?;
    (0..Database::USERS).for_each(|number| flush(work, Database::User(number)));
    work.out.ok();
    Ok(())
}

/// Emptying takes no time either way, so SYNC and ASYNC mean the same.
fn check_flush(work: &Work<'_, '_>) -> Answer {
    match work.args[1..] {
        [] => Ok(()),
        [how] if how.eq_ignore_ascii_case(b"ASYNC") || how.eq_ignore_ascii_case(b"SYNC") => Ok(()),
        _ => Err(Refusal::Syntax),
    }
}

fn flush(work: &mut Work<'_, '_>, database: Database) {
    if !work.tx.keys(database).is_empty() {
        work.tx.clear(database);
    }
}
