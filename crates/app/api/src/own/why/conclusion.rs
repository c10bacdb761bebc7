//! The chains of facts in one sentence each: what somebody who asks wants to hear first.

use adsum_model::rollout::Stage;
use adsum_model::{Availability, Health, Instance, Phase, Service};

use super::super::service::last_rollout;
use super::Subject;
use super::instance::{because, next_restart, probe, restarted};
use super::routing::Seen;

pub(super) fn of_service(subject: &Subject<'_>, seen: &Seen) -> String {
    let name = subject.name;
    let live = subject.state.live().count();
    let Some(service) = subject.state.service.as_ref().filter(|service| !service.removed) else {
        return format!("{name} is being removed: {} still to end", count(live, "instance"));
    };
    if let Some(reason) = &service.maintenance {
        return format!("{name} is in maintenance and gets no requests{}", behind(reason));
    }
    if service.spec.replicas == 0 {
        return format!(
            "{name} gets no requests: no instance of it is wanted ('adsum service scale {name}=1')"
        );
    }
    let mut parts = vec![served(subject, service, seen)];
    parts.extend(rollout(subject));
    if !seen.is_led_to(name) {
        let way = format!("no route and no port leads to it ('adsum service update {name} --route RULE')");
        parts.push(format!("it is found by name alone: {way}"));
    }
    parts.join("; ")
}

/// Whether it gets requests, and if not all of it does, why not.
fn served(subject: &Subject<'_>, service: &Service, seen: &Seen) -> String {
    let name = subject.name;
    let (passing, wanted) = (subject.state.routable().count(), service.spec.replicas);
    let mut in_the_way = subject.state.live().filter(|instance| !instance.is_routable());
    let because = in_the_way.next().map(|it| format!("{} {}", it.title(), of_instance(subject, seen, it)));
    match (passing, because) {
        (0, Some(because)) => format!("{name} gets no requests: {because}"),
        (0, None) => format!("{name} gets no requests: {}", absent(subject)),
        (_, Some(because)) if !subject.converged => {
            format!("{name} gets requests, {passing} of {wanted} wanted pass: {because}")
        }
        (_, _) => format!("{name} gets requests: {passing} of {wanted} wanted pass"),
    }
}

/// Why there is no instance at all.
fn absent(subject: &Subject<'_>) -> String {
    let drained = subject.catalog.nodes().find(|node| node.availability == Availability::Drain);
    let takes = subject.catalog.nodes().any(|node| node.availability == Availability::Active);
    match drained.filter(|_| !takes) {
        Some(node) => {
            format!("every node is drained, so it has no instance ('adsum node activate {}')", node.name)
        }
        None => "none of its instances is there yet".to_string(),
    }
}

/// Of a rollout that is under way.
fn rollout(subject: &Subject<'_>) -> Option<String> {
    let rollout = last_rollout(subject.catalog, subject.state)?;
    let (name, number, to) = (subject.name, rollout.number, rollout.to);
    let reason = rollout.reason.as_deref().map_or(String::new(), behind);
    match rollout.stage {
        Stage::Rolling => Some(format!("rollout {number} to version {to} is under way{reason}")),
        Stage::Verifying => Some(format!("rollout {number} to version {to} is being watched{reason}")),
        Stage::Paused => Some(format!(
            "rollout {number} to version {to} is paused{reason} ('adsum service resume {name}' goes on, \
             'adsum service abort {name}' goes back)"
        )),
        Stage::Complete | Stage::RolledBack | Stage::Superseded | Stage::Removed => None,
    }
}

/// What stands behind the name of an instance.
pub(super) fn of_instance(subject: &Subject<'_>, seen: &Seen, instance: &Instance) -> String {
    let reason = because(instance);
    match instance.phase {
        Phase::Planned => format!("has yet to be started{reason}"),
        Phase::Running => running(subject, seen, instance),
        Phase::Backoff => {
            let next = next_restart(subject, instance);
            let often =
                if instance.restarts == 0 { String::new() } else { format!(", {}", restarted(instance)) };
            format!("ended and is started again {next}{often}{reason}")
        }
        Phase::Stopping => "has been told to end".to_string(),
        Phase::Stopped => format!("ended as wished{reason}"),
        Phase::Complete => format!("has done its work{reason}"),
        Phase::Failed => format!("was given up{reason}"),
    }
}

fn running(subject: &Subject<'_>, seen: &Seen, instance: &Instance) -> String {
    let probe = probe(subject.state.service.as_ref());
    let reason = because(instance);
    match instance.health {
        Health::Passing => match seen.ejected(instance) {
            Some(detail) => format!("passes its check ({probe}) and gets no requests: it was {detail}"),
            None => "gets requests".to_string(),
        },
        Health::Starting => format!("is starting: its check ({probe}) has yet to pass{reason}"),
        Health::Warning | Health::Critical if seen.stands_in(instance) => {
            format!("fails its check ({probe}) and gets requests, since too few pass{reason}")
        }
        Health::Warning | Health::Critical => {
            format!("gets no requests: its check ({probe}) fails{reason}")
        }
        Health::Draining => format!("is leaving and gets nothing new: {}", held(seen, instance)),
        Health::Maintenance => {
            let why = instance.maintenance.as_deref().map_or(String::new(), behind);
            format!("is in maintenance and gets nothing new{why}: {}", held(seen, instance))
        }
    }
}

fn held(seen: &Seen, instance: &Instance) -> String {
    let holding = seen.holding(instance);
    if holding.is_empty() { "nothing is in flight on it".to_string() } else { holding.join("; ") }
}

fn behind(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what} is") } else { format!("{number} {what}s are") }
}
