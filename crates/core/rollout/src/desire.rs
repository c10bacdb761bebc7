//! The verbs that change what is wanted.
//!
//! Each is a part of a transaction, and each that changes anything raises the service's generation, by which plans that
//! were made before it are told. What the instances run makes a version, and a version a rollout ([`rollouts`]).
//! Nothing here carries anything out: the plan that follows from the record does.

use std::fmt;

use adsum_catalog::records;
use adsum_keyspace::Transaction;
use adsum_model::rollout::{Cause, Stage};
use adsum_model::{Event, InstanceId, Name, Service, Spec, Version};

mod maintenance;
mod node;
mod rollouts;

pub use maintenance::{maintain_instance, maintain_service};
pub use node::{activate_node, drain_node};

pub use rollouts::{KEPT, abort, pause, resume, roll_back, rollback};

/// Why a wish was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("service '{0}' exists already: use 'service update' to change it")]
    Exists(Name),
    #[error("there is no service '{0}': 'service ls' lists them")]
    Unknown(Name),
    #[error("service '{0}' is being removed: try again when its last instance has gone")]
    BeingRemoved(Name),
    #[error(
        "service '{service}' has no version to go back to from version {version}: no other one that was rolled out \
         completely is kept"
    )]
    NoEarlier { service: Name, version: u32 },
    #[error(
        "service '{service}' is already going back to version {version}: 'service resume' has it go on where it stands \
         still, 'service update' leads to another version"
    )]
    BackAlready { service: Name, version: u32 },
    #[error("service '{service}' has no rollout to {verb}: {stands}")]
    NotUnderWay { service: Name, verb: &'static str, stands: Stands },
    #[error("there is no instance '{0}': 'service ps' lists them")]
    UnknownInstance(InstanceId),
    #[error("instance '{0}' is on its way out or over: there is nothing to maintain")]
    Leaving(InstanceId),
    #[error("there is no node '{0}': 'node ls' lists them")]
    UnknownNode(Name),
    #[error(
        "node '{node}' is the only active one, so there is nowhere to go, and {services} {} have no instance any more. With \
         'node drain {node} --force' what is in flight is finished, all instances end, and requests are answered 503 until \
         'node activate {node}' brings as many back; a new release of the agent needs none of it ('agent --takeover')",
        if *services == 1 { "service would" } else { "services would" }
    )]
    LastNode { node: Name, services: usize },
}

/// How the rollout stands that a verb was not for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    Never,
    At { number: u32, stage: Stage },
}

/// A wish that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    pub service: Service,
    pub what: Novelty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    Created,
    /// The instances are replaced by ones of a new version.
    NewVersion,
    /// The instances are replaced by ones of a version that was there before.
    RolledBack,
    /// Something else than what the instances run.
    Changed,
    /// It was so before.
    Nothing,
}

pub fn create(tx: &mut Transaction<'_>, spec: Spec) -> Result<Taken, Refusal> {
    match records::service(tx, &spec.name) {
        Some(Service { removed: true, .. }) => return Err(Refusal::BeingRemoved(spec.name)),
        Some(_) => return Err(Refusal::Exists(spec.name)),
        None => {}
    }
    let mut service = Service::new(spec, 1, tx.now().wall);
    put_version(tx, &service);
    rollouts::begin(tx, &mut service, Cause::Created);
    put(tx, &mut service);
    log(tx, "service-created", &service, format!("created with {}", replicas(&service)));
    Ok(Taken { service, what: Novelty::Created })
}

pub fn update(tx: &mut Transaction<'_>, spec: Spec) -> Result<Taken, Refusal> {
    let mut service = present(tx, &spec.name)?;
    if service.spec == spec {
        return Ok(Taken { service, what: Novelty::Nothing });
    }
    let new_version = !runs_alike(&service.spec, &spec);
    service.spec = spec;
    if new_version {
        next_version(tx, &mut service, Cause::Updated);
    }
    put(tx, &mut service);
    let what = if new_version { Novelty::NewVersion } else { Novelty::Changed };
    let now = format!("updated; version {}, {}", service.version, replicas(&service));
    log(tx, "service-updated", &service, now);
    Ok(Taken { service, what })
}

pub fn scale(tx: &mut Transaction<'_>, name: &Name, replicas: u32) -> Result<Taken, Refusal> {
    let mut spec = present(tx, name)?.spec;
    spec.replicas = replicas;
    update(tx, spec)
}

/// Has all instances replaced by ones that run the same: as a new version, rolled out like any other.
pub fn restart(tx: &mut Transaction<'_>, name: &Name, why: &str) -> Result<Taken, Refusal> {
    let mut service = present(tx, name)?;
    next_version(tx, &mut service, Cause::Restarted);
    put(tx, &mut service);
    log(tx, "service-restarted", &service, format!("is restarted as version {}: {why}", service.version));
    Ok(Taken { service, what: Novelty::NewVersion })
}

/// The record goes when the last instance has gone. Removing what is being removed changes nothing.
pub fn remove(tx: &mut Transaction<'_>, name: &Name) -> Result<Taken, Refusal> {
    let mut service = records::service(tx, name).ok_or_else(|| Refusal::Unknown(name.clone()))?;
    if service.removed {
        return Ok(Taken { service, what: Novelty::Nothing });
    }
    service.removed = true;
    rollouts::end(tx, &service, Stage::Removed, "the service was removed");
    put(tx, &mut service);
    log(tx, "service-removed", &service, "is being removed".to_string());
    Ok(Taken { service, what: Novelty::Changed })
}

/// Whether instances of two wishes are the same, and are probed and spoken to in the same way.
fn runs_alike(one: &Spec, other: &Spec) -> bool {
    one.task == other.task
        && one.check == other.check
        && one.routing.policy.upstream == other.routing.policy.upstream
}

fn present(tx: &mut Transaction<'_>, name: &Name) -> Result<Service, Refusal> {
    let service = records::service(tx, name).ok_or_else(|| Refusal::Unknown(name.clone()))?;
    if service.removed { Err(Refusal::BeingRemoved(name.clone())) } else { Ok(service) }
}

/// Makes a version of what the service's spec says now, and begins to roll it out.
fn next_version(tx: &mut Transaction<'_>, service: &mut Service, cause: Cause) {
    // Records of before versions could come back do not say which is the newest.
    service.newest_version = service.newest_version.max(service.version) + 1;
    let base = rollouts::base(tx, service);
    service.version = service.newest_version;
    put_version(tx, service);
    rollouts::begin_from(tx, service, cause, base);
}

fn put_version(tx: &mut Transaction<'_>, service: &Service) {
    let Spec { name, task, check, routing, .. } = service.spec.clone();
    let (number, upstream, created) = (service.version, routing.policy.upstream, tx.now().wall);
    records::put_version(tx, &Version { service: name, number, task, check, upstream, created });
}

/// Writes the record as that of a further wish.
fn put(tx: &mut Transaction<'_>, service: &mut Service) {
    service.generation += 1;
    records::put_service(tx, service);
}

fn log(tx: &mut Transaction<'_>, kind: &str, service: &Service, what: String) {
    let name = &service.spec.name;
    let message = format!("service {name} {what}");
    let time = tx.now().wall;
    records::log(
        tx,
        &Event { time, kind: kind.into(), service: Some(name.clone()), instance: None, message },
    );
}

fn replicas(service: &Service) -> String {
    match service.spec.replicas {
        1 => "1 replica".to_string(),
        n => format!("{n} replicas"),
    }
}

impl fmt::Display for Stands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stands::Never => write!(f, "it never had one"),
            Stands::At { number, stage } => write!(f, "its last one, {number}, is {}", stage.as_str()),
        }
    }
}

#[cfg(test)]
mod tests;
