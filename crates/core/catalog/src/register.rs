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

mod check;
mod key;
mod node;
pub mod operation;
mod service;

use adsum_keyspace::{Database, Transaction};
use adsum_model::registered::{Check, Node, Service};
use adsum_model::{Event, Name};

use crate::records::{count, log};
use check::put_told;
use key::{check_key, node_key, service_key};
use node::put_node;
use service::put_service;

pub use check::{
    check, deregister_check, expired, heard, is_alive, note_services, observed, reap, register_check,
};
pub use key::{BEATS, beat_of};
pub(crate) use key::{parts, unescape};
pub use node::{deregister_node, expect_node, node};
pub use service::{Others, Removal, deregister_service, register_service, service};

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

/// What is told of a node, of a service there, and of checks of both.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub node: Option<Node>,
    pub service: Option<Service>,
    pub checks: Vec<Check>,
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

fn log_event(tx: &mut Transaction<'_>, kind: &str, service: Option<Name>, message: String) {
    let time = tx.now().wall;
    log(tx, &Event { time, kind: kind.to_string(), service, instance: None, message });
}

#[cfg(test)]
mod tests;
