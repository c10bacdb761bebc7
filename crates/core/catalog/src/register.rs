//! The verbs of what clients register, as parts of a transaction.
//!
//! ```text
//! external/NODE        registered::Node
//! registered/NODE/ID   registered::Service
//! check/NODE/ID        registered::Check
//! check-of/NODE/SERVICE/ID   nothing: where to look for the checks of a service
//! beat/NODE/ID         until the TTL of the check is over, which each sign of life puts off: the tick at which the words
//!                      of one were put on record last, or nothing
//! ```
//!
//! Nodes are in lower case in a key, and `/` and `%` are escaped in each part.
//!
//! Invariants:
//! - What is registered again as it is changes no record, so that nobody who waits for a change wakes.
//! - A check comes only with its service, or after it, and goes with it. Of a service with more than a piece of checks the
//!   service goes first, so that it never looks better than it is; whoever takes it out goes on until nothing is left.
//! - Who is refused has changed nothing.

mod key;
pub mod operation;

use std::collections::HashSet;
use std::time::Duration;

use adsum_keyspace::{Database, Deadline, Notice, Transaction, Value};
use adsum_model::registered::{Check, Kind, Node, Service, Status};
use adsum_model::{Event, Name};

use crate::records::{count, delete, log, read, write};
use crate::{checks, records};
use key::{
    CHECKS_AT, attached_key, attached_prefix, beat_key, check_key, checks_prefix, escape, node_key,
    node_part, service_key,
};

pub use key::{BEATS, beat_of};
pub(crate) use key::{parts, unescape};

/// Services that clients may register.
pub const SERVICES: usize = 100_000;
/// Checks that they may register.
pub const CHECKS: usize = 200_000;
/// Nodes without an agent.
pub const NODES: usize = 100_000;
/// Services, and checks, that one call takes out.
pub const PIECE: usize = 1000;
/// Bytes of the keys of one piece.
const PIECE_BYTES: usize = 1024 * 1024;

/// Why something cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("ServiceID \"{0}\" does not exist")]
    UnknownService(String),
    #[error("Missing service registration")]
    NoService,
    #[error("Missing node registration")]
    NoNode,
    #[error("there are {0} {1} registered already: deregister some")]
    Full(usize, &'static str),
}

/// What becomes of the checks that a service has and that are not registered with it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    Stay,
    Go,
}

/// What is told of a node, of a service there, and of checks of both.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub node: Option<Node>,
    pub service: Option<Service>,
    pub checks: Vec<Check>,
}

/// What a call has come to that takes out a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Whether the service was there.
    pub was_there: bool,
    /// Whether there are checks left that were its own: whoever calls this goes on until there are none.
    pub more: bool,
}

/// A service with its checks. A check that is there goes on as it was found last.
pub fn register_service(
    tx: &mut Transaction<'_>,
    service: &Service,
    checks: Vec<Check>,
    others: Others,
) -> Result<(), Refusal> {
    refuse_more(tx, None, Some(service), &checks)?;
    put_service(tx, service);
    if others == Others::Go {
        let named: HashSet<&str> = checks.iter().map(|check| check.id.as_str()).collect();
        let gone = checks_of(tx, &service.node, &service.id).into_iter();
        let gone = gone.filter(|check| !named.contains(check.id.as_str()));
        let gone: Vec<Check> = gone.filter(|check| check.definition.kind != Kind::Maintenance).collect();
        gone.iter().for_each(|check| delete_check(tx, check));
    }
    checks.into_iter().for_each(|check| put_again(tx, check));
    Ok(())
}

/// What somebody tells who looks after it himself: it is as it is told.
pub fn tell(tx: &mut Transaction<'_>, told: Told) -> Result<(), Refusal> {
    let Told { node, service, checks } = told;
    refuse_more(tx, node.as_ref(), service.as_ref(), &checks)?;
    for check in checks.iter().filter(|check| !check.service.is_empty()) {
        let comes = service.as_ref().is_some_and(|service| service.id == check.service);
        if !comes && self::service(tx, &check.node, &check.service).is_none() {
            return Err(Refusal::NoService);
        }
    }
    node.iter().for_each(|node| put_node(tx, node));
    service.iter().for_each(|service| put_service(tx, service));
    checks.into_iter().for_each(|check| put_told(tx, check));
    Ok(())
}

/// A service without a word on how it is.
fn put_service(tx: &mut Transaction<'_>, service: &Service) {
    let key = service_key(&service.node, &service.id);
    let before: Option<Service> = read(tx, &key);
    if before.is_none() {
        log_of(tx, "service-registered", service, "is registered");
    }
    if before.as_ref() != Some(service) {
        write(tx, key, service);
    }
}

/// A service with a piece of its checks.
pub fn deregister_service(tx: &mut Transaction<'_>, node: &str, id: &str) -> Removal {
    remove_service(tx, node, id, "is deregistered", None)
}

/// The check `last` goes when all others have gone.
fn remove_service(
    tx: &mut Transaction<'_>,
    node: &str,
    id: &str,
    why: &str,
    last: Option<&Check>,
) -> Removal {
    // Checks of the node itself have no service.
    if id.is_empty() {
        return Removal::default();
    }
    let service = service(tx, node, id);
    if let Some(service) = &service {
        delete(tx, &service_key(node, id));
        log_of(tx, "service-deregistered", service, why);
    }
    Removal { was_there: service.is_some(), more: remove_checks(tx, node, id, last) }
}

/// A piece of the checks of a service; whether there are more.
fn remove_checks(tx: &mut Transaction<'_>, node: &str, service: &str, last: Option<&Check>) -> bool {
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

/// A check of a service that is there, or of a node. One that is there goes on as it was found last.
pub fn register_check(tx: &mut Transaction<'_>, new: Check) -> Result<(), Refusal> {
    if !new.service.is_empty() && service(tx, &new.node, &new.service).is_none() {
        return Err(Refusal::UnknownService(new.service));
    }
    refuse_more(tx, None, None, std::slice::from_ref(&new))?;
    put_again(tx, new);
    Ok(())
}

fn put_again(tx: &mut Transaction<'_>, mut new: Check) {
    if let Some(before) = check(tx, &new.node, &new.id) {
        (new.status, new.output) = (before.status, before.output);
    }
    put_check(tx, new);
}

/// What is told of a check that somebody makes is how it is, and not how it is made. It is a sign of life as well.
fn put_told(tx: &mut Transaction<'_>, mut new: Check) {
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

/// Notes of which services checks are that an older agent has put on record, which did not write that down.
pub fn note_services<'a>(tx: &mut Transaction<'_>, checks: impl IntoIterator<Item = &'a Check>) {
    for check in checks {
        if tx.get(Database::System, check_key(&check.node, &check.id).as_bytes()).is_some() {
            note_service(tx, check);
        }
    }
}

fn note_service(tx: &mut Transaction<'_>, check: &Check) {
    let key = attached_key(check);
    if !check.service.is_empty() && tx.get(Database::System, key.as_bytes()).is_none() {
        tx.put(Database::System, key, Value::String("".into()), None, &[Notice::Set]);
    }
}

/// Whether it was there.
pub fn deregister_check(tx: &mut Transaction<'_>, node: &str, id: &str) -> bool {
    let check = check(tx, node, id);
    check.iter().for_each(|check| delete_check(tx, check));
    check.is_some()
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

/// Whether somebody has given a sign of a TTL check within its TTL.
pub fn is_alive(tx: &mut Transaction<'_>, check: &Check) -> bool {
    tx.get(Database::System, beat_key(&check.node, &check.id).as_bytes()).is_some()
}

fn put_node(tx: &mut Transaction<'_>, node: &Node) {
    let key = node_key(&node.name);
    if read(tx, &key).as_ref() != Some(node) {
        write(tx, key, node);
    }
}

/// With all that is registered there, of which a piece goes at a time, the node last. Whether there is more: whoever
/// calls this goes on until there is none.
pub fn deregister_node(tx: &mut Transaction<'_>, name: &str) -> bool {
    let any = |_: &str| true;
    let (services, more) = piece(tx, &format!("registered/{}/", node_part(name)), any);
    services.iter().for_each(|key| delete(tx, key));
    if more {
        return true;
    }
    let (checks, more) = piece(tx, &checks_prefix(name), any);
    checks.iter().for_each(|key| delete_check_at(tx, key));
    if more {
        return true;
    }
    if node(tx, name).is_some() || !services.is_empty() || !checks.is_empty() {
        delete(tx, &node_key(name));
        let message = format!("node {name} is deregistered with all that was registered there");
        log_event(tx, "node-deregistered", None, message);
    }
    false
}

/// # Errors
/// When there is no such node, with an agent or without.
pub fn expect_node(tx: &mut Transaction<'_>, name: &str) -> Result<(), Refusal> {
    let has_agent = name.parse().is_ok_and(|name| records::node(tx, &name).is_some());
    if has_agent || node(tx, name).is_some() { Ok(()) } else { Err(Refusal::NoNode) }
}

pub fn node(tx: &mut Transaction<'_>, name: &str) -> Option<Node> {
    read(tx, &node_key(name))
}

pub fn service(tx: &mut Transaction<'_>, node: &str, id: &str) -> Option<Service> {
    read(tx, &service_key(node, id))
}

pub fn check(tx: &mut Transaction<'_>, node: &str, id: &str) -> Option<Check> {
    read(tx, &check_key(node, id))
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

fn delete_check(tx: &mut Transaction<'_>, check: &Check) {
    delete_check_at(tx, &check_key(&check.node, &check.id));
}

/// A check by its key, with its sign of life.
fn delete_check_at(tx: &mut Transaction<'_>, key: &str) {
    let check: Option<Check> = read(tx, key);
    check.iter().for_each(|check| delete(tx, &attached_key(check)));
    let beat = key.strip_prefix(CHECKS_AT).map(|rest| format!("{BEATS}{rest}"));
    beat.iter().for_each(|beat| delete(tx, beat));
    delete(tx, key);
}

fn checks_of(tx: &mut Transaction<'_>, node: &str, service: &str) -> Vec<Check> {
    let prefix = attached_prefix(node, service);
    let keys = tx.keys_under(Database::System, prefix.as_bytes()).iter_from(prefix.as_bytes());
    let ids = keys.map_while(|(key, _)| str::from_utf8(key).ok()?.strip_prefix(&prefix));
    let keys: Vec<String> = ids.map(|id| format!("{}{id}", checks_prefix(node))).collect();
    let found = keys.iter().filter_map(|key| read::<Check>(tx, key));
    found.filter(|check| check.service == service).collect()
}

/// The keys of the next piece of what is chosen under a prefix, and whether there are others.
fn piece(tx: &mut Transaction<'_>, prefix: &str, chosen: impl Fn(&str) -> bool) -> (Vec<String>, bool) {
    let found = tx.keys_under(Database::System, prefix.as_bytes()).iter_from(prefix.as_bytes());
    let found = found.filter_map(|(key, _)| str::from_utf8(key).ok());
    let found = found.take_while(|key| key.starts_with(prefix));
    let mut names = found.filter(|key| chosen(key));
    let (mut keys, mut bytes) = (Vec::new(), 0);
    while keys.len() < PIECE && bytes < PIECE_BYTES {
        let Some(name) = names.next() else { return (keys, false) };
        bytes += name.len();
        keys.push(name.to_string());
    }
    (keys, names.next().is_some())
}

/// Before anything is written.
fn refuse_more(
    tx: &mut Transaction<'_>,
    new_node: Option<&Node>,
    new_service: Option<&Service>,
    new_checks: &[Check],
) -> Result<(), Refusal> {
    let nodes = new_node.filter(|new| node(tx, &new.name).is_none()).iter().count();
    let services = new_service.filter(|new| service(tx, &new.node, &new.id).is_none()).iter().count();
    let checks = new_checks.iter().filter(|new| check(tx, &new.node, &new.id).is_none()).count();
    let kinds = [("external", nodes, NODES, "nodes"), ("registered", services, SERVICES, "services")];
    for (kind, more, most, what) in kinds.into_iter().chain([("check", checks, CHECKS, "checks")]) {
        let there = count(tx, kind);
        if more > 0 && there + more > most {
            return Err(Refusal::Full(there, what));
        }
    }
    Ok(())
}

fn log_of(tx: &mut Transaction<'_>, kind: &str, service: &Service, what: &str) {
    let message = format!("{} ({}) on {} {what}", service.service, service.id, service.node);
    log_event(tx, kind, service.service.parse().ok(), message);
}

fn log_event(tx: &mut Transaction<'_>, kind: &str, service: Option<Name>, message: String) {
    let time = tx.now().wall;
    log(tx, &Event { time, kind: kind.to_string(), service, instance: None, message });
}

#[cfg(test)]
mod tests;
