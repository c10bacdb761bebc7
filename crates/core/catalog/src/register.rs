//! The verbs of what clients register, as parts of a transaction.
//!
//! ```text
//! external/NODE        registered::Node
//! registered/NODE/ID   registered::Service
//! check/NODE/ID        registered::Check
//! beat/NODE/ID         nothing, until the TTL of the check is over: it is put again with each sign of life
//! ```
//!
//! Nodes are in lower case in a key, and `/` and `%` are escaped in each part.
//!
//! Invariants:
//! - What is registered again as it is changes no record, so that nobody who waits for a change wakes.
//! - A check is there only with its service: both come in one transaction, and go in one.
//! - Who is refused has changed nothing.

use std::time::Duration;

use adsum_keyspace::{Database, Deadline, Notice, Transaction, Value};
use adsum_model::Event;
use adsum_model::registered::{Check, Kind, Node, Service, Status};

use crate::checks;
use crate::records::{count, decode, delete, log, read, under, write};
use crate::registry::Key;

/// Services that clients may register.
pub const SERVICES: usize = 100_000;
/// Checks that they may register.
pub const CHECKS: usize = 200_000;
/// Nodes without an agent.
pub const NODES: usize = 100_000;

/// Why something cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("ServiceID \"{0}\" does not exist")]
    UnknownService(String),
    #[error("Missing service registration")]
    NoService,
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
        let named = |check: &Check| checks.iter().any(|other| other.id == check.id);
        let gone = checks_of(tx, &service.node, &service.id).into_iter().filter(|check| !named(check));
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
    checks.into_iter().for_each(|check| put_check(tx, check));
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

/// Whether it was there.
pub fn deregister_service(tx: &mut Transaction<'_>, node: &str, id: &str) -> bool {
    remove_service(tx, node, id, "is deregistered")
}

fn remove_service(tx: &mut Transaction<'_>, node: &str, id: &str, why: &str) -> bool {
    let Some(service) = service(tx, node, id) else { return false };
    checks_of(tx, node, id).iter().for_each(|check| delete_check(tx, check));
    delete(tx, &service_key(node, id));
    log_of(tx, "service-deregistered", &service, why);
    true
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
        beat(tx, &new, *ttl);
    }
    if before.as_ref() != Some(&new) {
        write(tx, key, &new);
    }
}

/// Whether it was there.
pub fn deregister_check(tx: &mut Transaction<'_>, node: &str, id: &str) -> bool {
    let check = check(tx, node, id);
    check.iter().for_each(|check| delete_check(tx, check));
    check.is_some()
}

/// What a client says of its TTL check, which lives on for a TTL by that. Whether there is such a check.
pub fn heard(tx: &mut Transaction<'_>, node: &str, id: &str, status: Status, output: &str) -> bool {
    let Some(check) = check(tx, node, id) else { return false };
    let Kind::Ttl(ttl) = check.definition.kind else { return false };
    beat(tx, &check, ttl);
    found(tx, check, status, output);
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

/// Takes out a service that a check has found critical for as long as it allows.
pub fn reap(tx: &mut Transaction<'_>, of: &Check) {
    let now = tx.now().tick;
    let Some(check) = check(tx, &of.node, &of.id) else { return };
    if checks::reaped_at(&check).is_some_and(|at| at <= now) {
        let why = format!("is deregistered: check {} was critical for too long", check.id);
        remove_service(tx, &check.node, &check.service, &why);
    }
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

/// With all that is registered there.
pub fn deregister_node(tx: &mut Transaction<'_>, name: &str) {
    for service in under(tx, &format!("registered/{}/", node_part(name)), decode::<Service>) {
        remove_service(tx, name, &service.id, "is deregistered with its node");
    }
    checks_on(tx, name).iter().for_each(|check| delete_check(tx, check));
    delete(tx, &node_key(name));
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

fn beat(tx: &mut Transaction<'_>, check: &Check, ttl: Duration) {
    let key = beat_key(&check.node, &check.id);
    let deadline = Some(Deadline::after(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX / 4), tx.now()));
    if tx.get(Database::System, key.as_bytes()).is_some() {
        tx.set_deadline(Database::System, key.as_bytes(), deadline, Notice::Expire);
    } else {
        let nothing = Value::String("".into());
        tx.put(Database::System, key, nothing, deadline, &[Notice::Set, Notice::Expire]);
    }
}

fn delete_check(tx: &mut Transaction<'_>, check: &Check) {
    delete(tx, &check_key(&check.node, &check.id));
    delete(tx, &beat_key(&check.node, &check.id));
}

fn checks_on(tx: &mut Transaction<'_>, node: &str) -> Vec<Check> {
    under(tx, &format!("check/{}/", node_part(node)), decode)
}

fn checks_of(tx: &mut Transaction<'_>, node: &str, service: &str) -> Vec<Check> {
    let mut checks = checks_on(tx, node);
    checks.retain(|check| check.service == service);
    checks
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
    let (time, name) = (tx.now().wall, service.service.parse().ok());
    log(tx, &Event { time, kind: kind.to_string(), service: name, instance: None, message });
}

fn node_key(name: &str) -> String {
    format!("external/{}", node_part(name))
}

fn service_key(node: &str, id: &str) -> String {
    format!("registered/{}/{}", node_part(node), escape(id))
}

fn check_key(node: &str, id: &str) -> String {
    format!("check/{}/{}", node_part(node), escape(id))
}

fn beat_key(node: &str, id: &str) -> String {
    format!("{BEATS}{}/{}", node_part(node), escape(id))
}

/// What the keys of signs of life begin with.
pub const BEATS: &str = "beat/";

/// The check that a key of a sign of life is of.
pub fn beat_of(key: &[u8]) -> Option<Key> {
    parts(str::from_utf8(key).ok()?.strip_prefix(BEATS)?)
}

fn node_part(node: &str) -> String {
    escape(&node.to_lowercase())
}

fn escape(part: &str) -> String {
    part.replace('%', "%25").replace('/', "%2F")
}

pub(crate) fn unescape(part: &str) -> String {
    part.replace("%2F", "/").replace("%25", "%")
}

/// `NODE/ID`
pub(crate) fn parts(rest: &str) -> Option<Key> {
    let (node, id) = rest.split_once('/')?;
    Some((unescape(node), unescape(id)))
}

#[cfg(test)]
mod tests;
