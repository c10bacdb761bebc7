//! The verbs that change what is wanted.

use adsum_catalog::records;
use adsum_keyspace::Transaction;
use adsum_model::{Event, Name, Service, Spec, Version};

/// Why a wish was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("service '{0}' exists already: use 'service update' to change it")]
    Exists(Name),
    #[error("there is no service '{0}': 'service ls' lists them")]
    Unknown(Name),
    #[error("service '{0}' is being removed: try again when its last instance has gone")]
    BeingRemoved(Name),
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
    let service = Service::new(spec, 1, tx.now().wall);
    put(tx, &service, true);
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
    service.version += u32::from(new_version);
    put(tx, &service, new_version);
    let what = if new_version { Novelty::NewVersion } else { Novelty::Changed };
    log(
        tx,
        "service-updated",
        &service,
        format!("updated; version {}, {}", service.version, replicas(&service)),
    );
    Ok(Taken { service, what })
}

pub fn scale(tx: &mut Transaction<'_>, name: &Name, replicas: u32) -> Result<Taken, Refusal> {
    let mut spec = present(tx, name)?.spec;
    spec.replicas = replicas;
    update(tx, spec)
}

/// Has all instances replaced, one after the other, by ones that run the same: as a new version.
pub fn restart(tx: &mut Transaction<'_>, name: &Name, why: &str) -> Result<Taken, Refusal> {
    let mut service = present(tx, name)?;
    service.version += 1;
    put(tx, &service, true);
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
    records::put_service(tx, &service);
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

fn put(tx: &mut Transaction<'_>, service: &Service, new_version: bool) {
    if new_version {
        let Spec { name, task, check, routing, .. } = service.spec.clone();
        let (number, upstream, created) = (service.version, routing.policy.upstream, tx.now().wall);
        records::put_version(tx, &Version { service: name, number, task, check, upstream, created });
    }
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

#[cfg(test)]
mod tests {
    use adsum_keyspace::{Keyspace, Now};
    use adsum_model::Upstream;

    use super::*;

    fn web() -> Spec {
        Spec::new("web".parse().unwrap(), vec!["serve".into()])
    }

    fn run<T>(keyspace: &mut Keyspace, body: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
        keyspace.transact(Now::default(), body).unwrap().reply
    }

    #[test]
    fn what_the_instances_run_makes_a_version_and_the_rest_does_not() {
        let mut keyspace = Keyspace::default();
        assert_eq!(run(&mut keyspace, |tx| create(tx, web())).unwrap().what, Novelty::Created);
        assert_eq!(run(&mut keyspace, |tx| create(tx, web())), Err(Refusal::Exists("web".parse().unwrap())));
        assert_eq!(run(&mut keyspace, |tx| update(tx, web())).unwrap().what, Novelty::Nothing);

        let scaled = run(&mut keyspace, |tx| scale(tx, &web().name, 5)).unwrap();
        assert_eq!((scaled.what, scaled.service.version), (Novelty::Changed, 1));

        let mut spec = scaled.service.spec;
        spec.task.env.insert("A".into(), "1".into());
        let updated = run(&mut keyspace, |tx| update(tx, spec)).unwrap();
        assert_eq!((updated.what, updated.service.version), (Novelty::NewVersion, 2));
        assert!(run(&mut keyspace, |tx| records::version(tx, &web().name, 1).is_some()));

        let mut spec = updated.service.spec;
        spec.routing.policy.retries = 7;
        spec.routing.policy.upstream = Upstream::H2c;
        let updated = run(&mut keyspace, |tx| update(tx, spec)).unwrap();
        assert_eq!((updated.what, updated.service.version), (Novelty::NewVersion, 3));
        let spoken = |keyspace: &mut Keyspace, number| {
            run(keyspace, |tx| records::version(tx, &web().name, number)).unwrap().upstream
        };
        assert_eq!((spoken(&mut keyspace, 2), spoken(&mut keyspace, 3)), (Upstream::Http, Upstream::H2c));
    }

    #[test]
    fn a_restart_is_a_version_that_runs_the_same() {
        let mut keyspace = Keyspace::default();
        let name = web().name;
        assert_eq!(run(&mut keyspace, |tx| restart(tx, &name, "x")), Err(Refusal::Unknown(name.clone())));
        run(&mut keyspace, |tx| create(tx, web())).unwrap();
        let taken = run(&mut keyspace, |tx| restart(tx, &name, "x")).unwrap();
        assert_eq!((taken.what, taken.service.version), (Novelty::NewVersion, 2));
        let version = run(&mut keyspace, |tx| records::version(tx, &name, 2)).unwrap();
        assert_eq!(version.task, web().task);
    }

    #[test]
    fn a_service_on_its_way_out_takes_no_wishes() {
        let mut keyspace = Keyspace::default();
        let name = web().name;
        assert_eq!(run(&mut keyspace, |tx| remove(tx, &name)), Err(Refusal::Unknown(name.clone())));
        run(&mut keyspace, |tx| create(tx, web())).unwrap();
        assert!(run(&mut keyspace, |tx| remove(tx, &name)).unwrap().service.removed);
        assert_eq!(run(&mut keyspace, |tx| remove(tx, &name)).unwrap().what, Novelty::Nothing);
        assert_eq!(run(&mut keyspace, |tx| scale(tx, &name, 2)), Err(Refusal::BeingRemoved(name.clone())));
        assert_eq!(run(&mut keyspace, |tx| create(tx, web())), Err(Refusal::BeingRemoved(name)));
    }
}
