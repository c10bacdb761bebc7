//! Taken out of routing by a person, and put back.
//!
//! The process stays, and its check goes on being probed. Nothing new comes to it from the next routing revision on;
//! what it has in flight it finishes.

use adsum_catalog::records;
use adsum_keyspace::Transaction;
use adsum_model::{Event, Health, Instance, InstanceId, Name, Phase};

use super::{Novelty, Refusal, Taken, log, present, put};

/// All instances of a service, and those that it will have, until `reason` is none.
pub fn maintain_service(
    tx: &mut Transaction<'_>,
    name: &Name,
    reason: Option<String>,
) -> Result<Taken, Refusal> {
    let mut service = present(tx, name)?;
    let instances = records::instances(tx);
    let mut instances: Vec<Instance> = instances
        .into_iter()
        .filter(|instance| instance.service == *name && may_be_maintained(instance))
        .collect();
    if service.maintenance == reason && instances.iter().all(|instance| instance.maintenance == reason) {
        return Ok(Taken { service, what: Novelty::Nothing });
    }
    instances.iter_mut().for_each(|instance| set(tx, instance, reason.clone()));
    service.maintenance.clone_from(&reason);
    put(tx, &mut service);
    let (kind, what) = spelled(reason.as_deref());
    log(tx, kind, &service, what);
    Ok(Taken { service, what: Novelty::Changed })
}

/// One instance, until `reason` is none.
pub fn maintain_instance(
    tx: &mut Transaction<'_>,
    id: &InstanceId,
    reason: Option<String>,
) -> Result<Instance, Refusal> {
    let mut instance = records::instance(tx, id).ok_or_else(|| Refusal::UnknownInstance(id.clone()))?;
    if !may_be_maintained(&instance) {
        return Err(Refusal::Leaving(id.clone()));
    }
    if instance.maintenance == reason {
        return Ok(instance);
    }
    set(tx, &mut instance, reason.clone());
    if let Some(mut service) = records::service(tx, &instance.service) {
        put(tx, &mut service);
    }
    let (kind, what) = spelled(reason.as_deref());
    let time = tx.now().wall;
    let message = format!("{} ({id}) {what}", instance.title());
    let service = Some(instance.service.clone());
    records::log(tx, &Event { time, kind: kind.into(), service, instance: Some(id.clone()), message });
    Ok(instance)
}

fn may_be_maintained(instance: &Instance) -> bool {
    match instance.phase {
        Phase::Planned | Phase::Running | Phase::Backoff => instance.health != Health::Draining,
        Phase::Stopping | Phase::Stopped | Phase::Complete | Phase::Failed => false,
    }
}

/// One that comes back has yet to be found well: it is probed at once.
fn set(tx: &mut Transaction<'_>, instance: &mut Instance, reason: Option<String>) {
    let is_on = reason.is_some();
    instance.maintenance = reason;
    if instance.phase == Phase::Running && is_on {
        instance.health = Health::Maintenance;
    } else if instance.health == Health::Maintenance {
        instance.health = Health::Starting;
    }
    records::put_instance(tx, instance);
}

fn spelled(reason: Option<&str>) -> (&'static str, String) {
    match reason {
        Some("") => ("maintenance-on", "is in maintenance and gets no new requests".to_string()),
        Some(reason) => ("maintenance-on", format!("is in maintenance and gets no new requests: {reason}")),
        None => ("maintenance-off", "is out of maintenance".to_string()),
    }
}
