//! `GET /api/services/NAME/why`: why an instance does or does not run, and does or does not get traffic.
//!
//! The answer is a chain of facts, each resting on those before it: the first that does not hold is the reason.

use adsum_catalog::ServiceState;
use adsum_keyspace::{Database, Transaction};
use adsum_model::{CheckKind, Health, Instance, Name, Phase, Service};
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use serde::Serialize;

use super::Refusal;
use super::answer::json;
use super::service::plan_of;
use crate::ApiState;
use routing::Seen;

mod routing;

#[derive(Serialize)]
struct Why<'a> {
    name: &'a str,
    facts: Vec<Fact>,
    waiting_on: Vec<String>,
    instances: Vec<Chain<'a>>,
}

#[derive(Serialize)]
struct Chain<'a> {
    id: &'a str,
    name: String,
    facts: Vec<Fact>,
}

#[derive(Clone, Serialize)]
struct Fact {
    fact: &'static str,
    holds: bool,
    detail: String,
    /// Of the record that says so, or of the route table.
    revision: Option<u64>,
}

pub(crate) async fn get(
    State(state): State<ApiState>,
    Path(text): Path<String>,
) -> Result<Response, Refusal> {
    let name: Name = text.parse().map_err(|_| Refusal::unknown_service(&text))?;
    let catalog = state.store.catalog().await?;
    let service = catalog.service(&name).ok_or_else(|| Refusal::unknown_service(&text))?;
    let keys: Vec<String> = std::iter::once(format!("service/{name}"))
        .chain(service.instances.iter().map(|instance| format!("instance/{}", instance.id)))
        .collect();
    let revisions: Vec<Option<u64>> =
        state.store.commit(|tx| keys.iter().map(|key| revision(tx, key)).collect()).await?;
    let (of_service, of_instances) = revisions.split_first().expect("the service itself is among the keys");
    let plan = plan_of(&state, &catalog, &name, service);
    let instances = service.instances.iter().zip(of_instances);
    let seen = Seen::of(&state.routing, &catalog);
    let why = Why {
        name: name.as_str(),
        facts: [service_facts(service, *of_service), seen.service_facts(&name)].concat(),
        waiting_on: plan.waiting_on.iter().map(ToString::to_string).collect(),
        instances: instances
            .map(|(instance, revision)| Chain {
                id: instance.id.as_str(),
                name: instance.title(),
                facts: [
                    instance_facts(instance, service.service.as_ref(), *revision),
                    seen.instance_facts(instance),
                ]
                .concat(),
            })
            .collect(),
    };
    Ok(json(StatusCode::OK, &why))
}

/// At which a record (see `adsum_catalog::records` for the keys) was last written.
fn revision(tx: &mut Transaction<'_>, key: &str) -> Option<u64> {
    tx.get(Database::System, key.as_bytes()).map(|entry| entry.modified.0)
}

fn service_facts(state: &ServiceState, revision: Option<u64>) -> Vec<Fact> {
    let fact = |fact, holds, detail| Fact { fact, holds, detail, revision };
    let Some(service) = &state.service else {
        return vec![fact("exists", false, "its record has gone; its last instances are ending".to_string())];
    };
    let replicas = service.spec.replicas;
    let (passing, live) = (state.routable().count(), state.live().count());
    vec![
        fact("exists", true, format!("version {}", service.version)),
        fact("is to stay", !service.removed, stays(service).to_string()),
        fact("wants instances", replicas > 0, format!("{replicas} wanted")),
        fact("has instances", live > 0, format!("{live} not over")),
        fact("is found by name", passing > 0, format!("{passing} passing of {replicas} wanted")),
    ]
}

fn stays(service: &Service) -> &'static str {
    if service.removed { "it is being removed" } else { "nobody has removed it" }
}

fn instance_facts(instance: &Instance, service: Option<&Service>, revision: Option<u64>) -> Vec<Fact> {
    let fact = |fact, holds, detail| Fact { fact, holds, detail, revision };
    let Instance { slot, node, endpoint, .. } = instance;
    let current = service.map(|service| service.version);
    let wanted = service.is_some_and(|service| !service.removed && *slot <= service.spec.replicas);
    vec![
        fact("is planned", true, format!("slot {slot} on node {node}, {endpoint}")),
        fact("its slot is wanted", wanted, wanted_detail(service)),
        fact("is of the current version", current == Some(instance.version), version(instance, current)),
        fact("its process runs", instance.phase == Phase::Running, process(instance)),
        fact("is in service", in_service(instance), format!("its health is {}", instance.health)),
        fact("its check passes", instance.is_routable(), check(instance, service)),
        fact("gets traffic", instance.is_routable(), traffic(instance)),
    ]
}

fn wanted_detail(service: Option<&Service>) -> String {
    match service {
        None => "the service has gone".to_string(),
        Some(service) if service.removed => "the service is being removed".to_string(),
        Some(service) => format!("slots 1 to {} are", service.spec.replicas),
    }
}

fn version(instance: &Instance, current: Option<u32>) -> String {
    match current {
        Some(current) => format!("version {}, the service is at {current}", instance.version),
        None => format!("version {}", instance.version),
    }
}

fn process(instance: &Instance) -> String {
    let pid = instance.process.as_ref().map_or(String::new(), |process| format!(" as pid {}", process.pid));
    let reason = because(instance);
    match instance.phase {
        Phase::Planned => format!("it has yet to be started{reason}"),
        Phase::Running => format!("it runs{pid}, restarted {} times", instance.restarts),
        Phase::Backoff => format!("it ended and is started again after a pause{reason}"),
        Phase::Stopping => format!("it has been told to end{pid}"),
        Phase::Stopped => format!("it ended as wished{reason}"),
        Phase::Complete => format!("it has done its work{reason}"),
        Phase::Failed => format!("it ended and was given up{reason}"),
    }
}

fn in_service(instance: &Instance) -> bool {
    let out = matches!(instance.health, Health::Draining | Health::Maintenance);
    !out && !matches!(instance.phase, Phase::Stopping | Phase::Stopped | Phase::Complete | Phase::Failed)
}

fn check(instance: &Instance, service: Option<&Service>) -> String {
    let kind = service.map_or_else(|| "its check".to_string(), |service| probe(&service.spec.check.kind));
    match instance.phase {
        Phase::Running => format!("{kind}: {}{}", instance.health, because(instance)),
        Phase::Planned
        | Phase::Backoff
        | Phase::Stopping
        | Phase::Stopped
        | Phase::Complete
        | Phase::Failed => {
            format!("{kind}: only a process that runs is probed")
        }
    }
}

fn probe(kind: &CheckKind) -> String {
    match kind {
        CheckKind::Http { path } => format!("http {path}"),
        CheckKind::Tcp => "tcp".to_string(),
        CheckKind::Command { command } => format!("command {}", command.join(" ")),
        CheckKind::Process => "process".to_string(),
    }
}

fn traffic(instance: &Instance) -> String {
    if instance.is_routable() {
        format!("it is found by name at {}", instance.endpoint)
    } else {
        "only an instance that runs and passes is found by name".to_string()
    }
}

fn because(instance: &Instance) -> String {
    instance.reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"))
}
