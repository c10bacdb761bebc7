//! Checks: of a service or of a node, what is found of them, and the signs of life of those with a TTL.

use std::time::Duration;

use adsum_keyspace::{Database, Deadline, Notice, Transaction, Value};
use adsum_model::registered::{Check, Kind, Status};

use super::key::{CHECKS_AT, attached_key, attached_prefix, beat_key, check_key, checks_prefix, escape};
use super::service::{remove_service, service};
use super::{BEATS, Refusal, piece, refuse_more};
use crate::checks;
use crate::records::{delete, read, write};

/// A check of a service that is there, or of a node. One that is there goes on as it was found last.
pub fn register_check(tx: &mut Transaction<'_>, new: Check) -> Result<(), Refusal> {
    if !new.service.is_empty() && service(tx, &new.node, &new.service).is_none() {
        return Err(Refusal::UnknownService(new.service));
    }
    refuse_more(tx, None, None, std::slice::from_ref(&new))?;
    put_again(tx, new);
    Ok(())
}

/// What a client says of its TTL check, which lives on for a TTL by that. Whether there is such a check. A status is put
/// on record at once, words alone now and then.
pub fn heard(tx: &mut Transaction<'_>, node: &str, id: &str, status: Status, output: &str) -> bool {
    let Some(check) = check(tx, node, id) else { return false };
    let Kind::Ttl(ttl) = check.definition.kind else { return false };
    let now = tx.now().tick;
    let noted = noted(tx, &check).map(|at| Duration::from_millis(now.saturating_sub(at)));
    let age = noted.unwrap_or(checks::OUTPUT_PAUSE);
    let is_news = checks::is_news((check.status, &check.output), (status, output), age);
    beat(tx, &check, ttl, is_news.then_some(now));
    if is_news {
        found(tx, check, status, output);
    }
    true
}

/// What was found by looking, unless what was looked at is no longer what is to be looked at.
pub fn observed(tx: &mut Transaction<'_>, of: &Check, status: Status, output: &str) {
    if let Some(check) = check(tx, &of.node, &of.id).filter(|check| check.definition == of.definition) {
        found(tx, check, status, output);
    }
}

/// Of a TTL check that nobody has given a sign of for a TTL.
pub fn expired(tx: &mut Transaction<'_>, node: &str, id: &str) {
    let Some(check) = check(tx, node, id) else { return };
    let is_over = matches!(check.definition.kind, Kind::Ttl(_)) && !is_alive(tx, &check);
    if is_over && check.status != Status::Critical {
        let output = checks::expired_output(&check.output);
        found(tx, check, Status::Critical, &output);
    }
}

/// Takes out a service that a check has found critical for as long as it allows, with a piece of its checks. Whether
/// there are more of them: whoever calls this goes on until there are none.
pub fn reap(tx: &mut Transaction<'_>, of: &Check) -> bool {
    let now = tx.now().tick;
    let Some(check) = check(tx, &of.node, &of.id) else { return false };
    if checks::reaped_at(&check).is_none_or(|at| at > now) {
        return false;
    }
    let why = format!("is deregistered: check {} was critical for too long", check.id);
    remove_service(tx, &check.node, &check.service, &why, Some(&check)).more
}

/// Whether it was there.
pub fn deregister_check(tx: &mut Transaction<'_>, node: &str, id: &str) -> bool {
    let check = check(tx, node, id);
    check.iter().for_each(|check| delete_check(tx, check));
    check.is_some()
}

/// Whether somebody has given a sign of a TTL check within its TTL.
pub fn is_alive(tx: &mut Transaction<'_>, check: &Check) -> bool {
    tx.get(Database::System, beat_key(&check.node, &check.id).as_bytes()).is_some()
}

pub fn check(tx: &mut Transaction<'_>, node: &str, id: &str) -> Option<Check> {
    read(tx, &check_key(node, id))
}

/// Notes of which services checks are that an older agent has put on record, which did not write that down.
pub fn note_services<'a>(tx: &mut Transaction<'_>, checks: impl IntoIterator<Item = &'a Check>) {
    for check in checks {
        if tx.get(Database::System, check_key(&check.node, &check.id).as_bytes()).is_some() {
            note_service(tx, check);
        }
    }
}

pub(super) fn put_again(tx: &mut Transaction<'_>, mut new: Check) {
    if let Some(before) = check(tx, &new.node, &new.id) {
        (new.status, new.output) = (before.status, before.output);
    }
    put_check(tx, new);
}

/// What is told of a check that somebody makes is how it is, and not how it is made. It is a sign of life as well.
pub(super) fn put_told(tx: &mut Transaction<'_>, mut new: Check) {
    let before = check(tx, &new.node, &new.id).filter(|_| new.definition.kind == Kind::Told);
    if let Some(before) = before.filter(|before| before.definition.kind != Kind::Told) {
        (new.definition, new.recipe, new.service) = (before.definition, before.recipe, before.service);
        if let Kind::Ttl(ttl) = new.definition.kind {
            beat(tx, &new, ttl, None);
        }
    }
    put_check(tx, new);
}

/// A check as it is told.
fn put_check(tx: &mut Transaction<'_>, mut new: Check) {
    let key = check_key(&new.node, &new.id);
    let before: Option<Check> = read(tx, &key);
    new.since = match &before {
        Some(before) if before.status == new.status => before.since,
        _ => tx.now().tick,
    };
    let is_new_ttl = before.as_ref().is_none_or(|before| before.definition.kind != new.definition.kind);
    if let (Kind::Ttl(ttl), true) = (&new.definition.kind, is_new_ttl) {
        beat(tx, &new, *ttl, None);
    }
    attach(tx, before.as_ref(), &new);
    if before.as_ref() != Some(&new) {
        write(tx, key, &new);
    }
}

/// Notes of which service a check is.
fn attach(tx: &mut Transaction<'_>, before: Option<&Check>, now: &Check) {
    let before = before.filter(|before| before.service != now.service);
    before.iter().for_each(|before| delete(tx, &attached_key(before)));
    note_service(tx, now);
}

fn note_service(tx: &mut Transaction<'_>, check: &Check) {
    let key = attached_key(check);
    if !check.service.is_empty() && tx.get(Database::System, key.as_bytes()).is_none() {
        tx.put(Database::System, key, Value::String("".into()), None, &[Notice::Set]);
    }
}

/// Puts the end of a check's TTL off; `noted` is now when its words are put on record with that.
fn beat(tx: &mut Transaction<'_>, check: &Check, ttl: Duration, noted: Option<u64>) {
    let key = beat_key(&check.node, &check.id);
    let deadline = Some(Deadline::after(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX / 4), tx.now()));
    if noted.is_none() && tx.get(Database::System, key.as_bytes()).is_some() {
        tx.set_deadline(Database::System, key.as_bytes(), deadline, Notice::Expire);
    } else {
        let tick = noted.map_or_else(String::new, |tick| tick.to_string());
        let value = Value::String(tick.as_bytes().into());
        tx.put(Database::System, key, value, deadline, &[Notice::Set, Notice::Expire]);
    }
}

/// The tick at which words of a check that is alive were put on record last.
fn noted(tx: &mut Transaction<'_>, check: &Check) -> Option<u64> {
    let beat = tx.get(Database::System, beat_key(&check.node, &check.id).as_bytes())?;
    let Value::String(tick) = &beat.value else { return None };
    str::from_utf8(tick).ok()?.parse().ok()
}

/// Nothing is written when nothing is new.
fn found(tx: &mut Transaction<'_>, mut check: Check, status: Status, output: &str) {
    if check.status == status && check.output == output {
        return;
    }
    if check.status != status {
        check.since = tx.now().tick;
    }
    check.status = status;
    check.output = output.to_string();
    write(tx, check_key(&check.node, &check.id), &check);
}

pub(super) fn delete_check(tx: &mut Transaction<'_>, check: &Check) {
    delete_check_at(tx, &check_key(&check.node, &check.id));
}

/// A check by its key, with its sign of life.
pub(super) fn delete_check_at(tx: &mut Transaction<'_>, key: &str) {
    let check: Option<Check> = read(tx, key);
    check.iter().for_each(|check| delete(tx, &attached_key(check)));
    let beat = key.strip_prefix(CHECKS_AT).map(|rest| format!("{BEATS}{rest}"));
    beat.iter().for_each(|beat| delete(tx, beat));
    delete(tx, key);
}

pub(super) fn checks_of(tx: &mut Transaction<'_>, node: &str, service: &str) -> Vec<Check> {
    let prefix = attached_prefix(node, service);
    let keys = tx.keys_under(Database::System, prefix.as_bytes()).iter_from(prefix.as_bytes());
    let ids = keys.map_while(|(key, _)| str::from_utf8(key).ok()?.strip_prefix(&prefix));
    let keys: Vec<String> = ids.map(|id| format!("{}{id}", checks_prefix(node))).collect();
    let found = keys.iter().filter_map(|key| read::<Check>(tx, key));
    found.filter(|check| check.service == service).collect()
}

/// A piece of the checks of a service; whether there are more.
pub(super) fn remove_checks(
    tx: &mut Transaction<'_>,
    node: &str,
    service: &str,
    last: Option<&Check>,
) -> bool {
    let prefix = attached_prefix(node, service);
    let last = last.map(|check| format!("{prefix}{}", escape(&check.id)));
    let (keys, more) = piece(tx, &prefix, |key| last.as_deref() != Some(key));
    for key in keys.iter().chain(last.iter().filter(|_| !more)) {
        let check = format!("{}{}", checks_prefix(node), &key[prefix.len()..]);
        // What was noted once may be over.
        match read::<Check>(tx, &check) {
            Some(found) if found.service == service => delete_check_at(tx, &check),
            Some(_) | None => delete(tx, key),
        }
    }
    more
}
