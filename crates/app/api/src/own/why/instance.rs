//! What holds of an instance, apart from what the gateway makes of it.

use adsum_model::{Availability, CheckKind, Health, Instance, Phase, Service};

use super::super::instance::restart_in;
use super::{Fact, Revisions, Subject};

pub(super) fn facts(subject: &Subject<'_>, revisions: &Revisions, instance: &Instance) -> Vec<Fact> {
    let revision = revisions.at(&format!("instance/{}", instance.id));
    let fact = |fact, holds, detail| Fact { fact, holds, detail, revision };
    let Instance { slot, node, endpoint, .. } = instance;
    let service = subject.state.service.as_ref();
    let current = service.map(|service| service.version);
    let wanted = service.is_some_and(|service| !service.removed && *slot <= service.spec.replicas);
    let mut facts = vec![
        fact("is planned", true, format!("slot {slot} on node {node}, {endpoint}")),
        fact("its slot is wanted", wanted, wanted_detail(service)),
        fact("is of the current version", current == Some(instance.version), version(instance, current)),
    ];
    facts.extend(node_fact(subject, revisions, instance));
    facts.extend([
        fact("its process runs", instance.phase == Phase::Running, process(subject, instance)),
        fact("is not in maintenance", instance.maintenance.is_none(), maintenance(instance)),
        fact("is in service", in_service(instance), format!("its health is {}", instance.health)),
        fact("its check passes", instance.is_routable(), check(instance, service)),
        fact("gets traffic", instance.is_routable(), traffic(instance)),
    ]);
    facts
}

/// Nothing of a node that has not registered.
fn node_fact(subject: &Subject<'_>, revisions: &Revisions, instance: &Instance) -> Option<Fact> {
    let node = subject.catalog.node(&instance.node)?;
    let (holds, detail) = match node.availability {
        Availability::Active => (true, format!("node {} is active", node.name)),
        Availability::Drain => (false, format!("node {} is drained: what it has leaves", node.name)),
    };
    let revision = revisions.at(&format!("node/{}", node.name));
    Some(Fact { fact: "its node takes instances", holds, detail, revision })
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

fn process(subject: &Subject<'_>, instance: &Instance) -> String {
    let pid = instance.process.as_ref().map_or(String::new(), |process| format!(" as pid {}", process.pid));
    let reason = because(instance);
    match instance.phase {
        Phase::Planned => format!("it has yet to be started{reason}"),
        Phase::Running => format!("it runs{pid}, {}", restarted(instance)),
        Phase::Backoff => {
            let next = next_restart(subject, instance);
            format!("it ended and is started again {next}, {}{reason}", restarted(instance))
        }
        Phase::Stopping => format!("it has been told to end{pid}"),
        Phase::Stopped => format!("it ended as wished{reason}"),
        Phase::Complete => format!("it has done its work{reason}"),
        Phase::Failed => format!("it ended and was given up{reason}"),
    }
}

/// `in 1.6 s`.
pub(super) fn next_restart(subject: &Subject<'_>, instance: &Instance) -> String {
    let rest = restart_in(instance, subject.state.service.as_ref(), subject.tick);
    rest.map_or("after a pause".to_string(), |rest| format!("in {:.1} s", rest.as_secs_f64()))
}

pub(super) fn restarted(instance: &Instance) -> String {
    match instance.restarts {
        0 => "never restarted".to_string(),
        1 => "restarted once".to_string(),
        n => format!("restarted {n} times"),
    }
}

fn maintenance(instance: &Instance) -> String {
    match instance.maintenance.as_deref() {
        None => "nobody has taken it out of routing".to_string(),
        Some("") => "it was taken out of routing".to_string(),
        Some(reason) => format!("it was taken out of routing: {reason}"),
    }
}

fn in_service(instance: &Instance) -> bool {
    let out = matches!(instance.health, Health::Draining | Health::Maintenance);
    !out && !matches!(instance.phase, Phase::Stopping | Phase::Stopped | Phase::Complete | Phase::Failed)
}

fn check(instance: &Instance, service: Option<&Service>) -> String {
    let kind = probe(service);
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

/// `http /healthz`.
pub(super) fn probe(service: Option<&Service>) -> String {
    match service.map(|service| &service.spec.check.kind) {
        None => "its check".to_string(),
        Some(CheckKind::Http { path }) => format!("http {path}"),
        Some(CheckKind::Tcp) => "tcp".to_string(),
        Some(CheckKind::Command { command }) => format!("command {}", command.join(" ")),
        Some(CheckKind::Process) => "process".to_string(),
    }
}

fn traffic(instance: &Instance) -> String {
    if instance.is_routable() {
        format!("it is found by name at {}", instance.endpoint)
    } else {
        "only an instance that runs and passes is found by name".to_string()
    }
}

pub(super) fn because(instance: &Instance) -> String {
    instance.reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"))
}
