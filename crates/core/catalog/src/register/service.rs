//! Services: they come with their checks and go with them.

use std::collections::HashSet;

use adsum_keyspace::Transaction;
use adsum_model::registered::{Check, Kind, Service};

use super::check::{checks_of, delete_check, put_again, remove_checks};
use super::key::service_key;
use super::{Refusal, log_event, refuse_more};
use crate::records::{delete, read, write};

/// What becomes of the checks that a service has and that are not registered with it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    Stay,
    Go,
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

/// A service with a piece of its checks.
pub fn deregister_service(tx: &mut Transaction<'_>, node: &str, id: &str) -> Removal {
    remove_service(tx, node, id, "is deregistered", None)
}

pub fn service(tx: &mut Transaction<'_>, node: &str, id: &str) -> Option<Service> {
    read(tx, &service_key(node, id))
}

/// A service without a word on how it is.
pub(super) fn put_service(tx: &mut Transaction<'_>, service: &Service) {
    let key = service_key(&service.node, &service.id);
    let before: Option<Service> = read(tx, &key);
    if before.is_none() {
        log_of(tx, "service-registered", service, "is registered");
    }
    if before.as_ref() != Some(service) {
        write(tx, key, service);
    }
}

/// The check `last` goes when all others have gone.
pub(super) fn remove_service(
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

fn log_of(tx: &mut Transaction<'_>, kind: &str, service: &Service, what: &str) {
    let message = format!("{} ({}) on {} {what}", service.service, service.id, service.node);
    log_event(tx, kind, service.service.parse().ok(), message);
}
