//! What follows from what a check has found: the status, the end of a service that stays critical, what an alias says.
//!
//! Nothing here looks at anything or waits. Moments are ticks that are passed in.

use std::sync::Arc;
use std::time::Duration;

use adsum_model::registered::{Check, Kind, Status, Thresholds};
use adsum_model::{Health, Instance, InstanceId, Phase};

use crate::{Catalog, Dated};

/// Bytes of output that are kept of a check.
pub const OUTPUT: usize = 4 * 1024;
/// No service is taken out of the catalog sooner, however short its check would have it.
pub const SHORTEST_DEREGISTRATION: Duration = Duration::from_secs(60);

/// Words that change while the status stays are put on record no more often than this, as Consul does it.
pub const OUTPUT_PAUSE: Duration = Duration::from_secs(300);

/// How often in a row a check has found the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Course {
    successes: u32,
    failures: u32,
}

impl Course {
    /// Takes in what was found and gives the status that follows; none while it has not been found often enough.
    /// A warning is a success of its own kind: the thresholds are about answers that are there.
    pub fn observe(&mut self, thresholds: &Thresholds, found: Status) -> Option<Status> {
        match found {
            Status::Passing | Status::Warning => {
                self.failures = 0;
                self.successes = self.successes.saturating_add(1);
                (self.successes >= thresholds.passing).then_some(found)
            }
            Status::Critical => {
                self.successes = 0;
                self.failures = self.failures.saturating_add(1);
                self.failed(thresholds)
            }
        }
    }

    fn failed(self, thresholds: &Thresholds) -> Option<Status> {
        if self.failures >= thresholds.critical {
            return Some(Status::Critical);
        }
        // Without a threshold of its own there is no warning on the way.
        let warns = thresholds.warning > 0 && self.failures >= thresholds.warning;
        warns.then_some(Status::Warning)
    }
}

/// How long to wait after a probe. After the first one any part of the interval, so that checks which were registered
/// together are not made together for ever; `lot` says which.
pub fn pause(interval: Duration, probes: u64, lot: u32) -> Duration {
    if probes > 1 { interval } else { interval.mul_f64(f64::from(lot) / f64::from(u32::MAX)) }
}

/// The tick at which the service of a check has been critical for as long as the check allows.
pub fn reaped_at(check: &Check) -> Option<u64> {
    let after = check.definition.deregister_after?.max(SHORTEST_DEREGISTRATION);
    let is_dying = check.status == Status::Critical && !check.service.is_empty();
    let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    is_dying.then(|| check.since.saturating_add(after))
}

/// Whether what was found is put on record, `age` after what is there: a status at once, words alone now and then, since
/// some services say something else each time.
pub fn is_news(on_record: (Status, &str), found: (Status, &str), age: Duration) -> bool {
    on_record.0 != found.0 || (on_record.1 != found.1 && age >= OUTPUT_PAUSE)
}

/// What is said of a check that nobody has given a sign of.
pub fn expired_output(last: &str) -> String {
    let mut text = "TTL expired".to_string();
    if !last.is_empty() {
        text += &format!(" (last output before timeout follows): {last}");
    }
    cut(text)
}

/// As much of it as is kept.
pub fn cut(mut output: String) -> String {
    output.truncate(output.floor_char_boundary(OUTPUT));
    output
}

/// What an alias says: the worst of the checks of what it stands for. None of a check that is no alias.
pub fn mirrored(catalog: &Catalog, check: &Check) -> Option<(Status, String)> {
    let Kind::Alias { node, service } = &check.definition.kind else { return None };
    let node = if node.is_empty() { &check.node } else { node };
    let registry = catalog.registry();
    if let Some(instance) = instance(catalog, node, service) {
        return Some(mirrored_instance(catalog, check, instance));
    }
    if !service.is_empty() && registry.service(node, service).is_none() {
        return Some((Status::Critical, format!("Service {service} could not be found on node {node}")));
    }
    let of_service =
        registry.checks_of(node, service).filter(|other| !service.is_empty() && is_other(other, check));
    let of_node = registry.checks_of(node, "").filter(|other| is_other(other, check));
    Some(said(of_service.chain(of_node)).unwrap_or_else(|| (Status::Passing, "No checks found.".to_string())))
}

/// What is said of the worst of some checks.
fn said<'a>(checks: impl Iterator<Item = &'a Arc<Dated<Check>>>) -> Option<(Status, String)> {
    let worst = checks.max_by_key(|other| other.status)?;
    Some(match worst {
        worst if worst.status == Status::Passing => (Status::Passing, "All checks passing.".to_string()),
        worst => {
            let said = format!("Aliased check \"{}\" failing: {}", worst.name, worst.output);
            (worst.status, cut(said))
        }
    })
}

/// Whether a check is an alias of something that runs here, which changes without anything registered.
pub fn mirrors_instance(catalog: &Catalog, check: &Check) -> bool {
    let Kind::Alias { node, service } = &check.definition.kind else { return false };
    let node = if node.is_empty() { &check.node } else { node };
    // It may come.
    service.parse::<InstanceId>().is_ok() && catalog.registry().service(node, service).is_none()
}

/// One that Adsum runs, unless a client has registered something by its id.
fn instance<'a>(catalog: &'a Catalog, node: &str, id: &str) -> Option<&'a Instance> {
    let instance = catalog.instance(&id.parse().ok()?)?;
    let is_there = !instance.phase.is_final() && instance.node.as_str() == node;
    (is_there && catalog.registry().service(node, id).is_none()).then_some(&**instance)
}

/// Its own check, and those of its node.
fn mirrored_instance(catalog: &Catalog, check: &Check, instance: &Instance) -> (Status, String) {
    let runs = instance.phase == Phase::Running;
    let own = match instance.health {
        Health::Passing if runs => (Status::Passing, "All checks passing.".to_string()),
        Health::Warning if runs => (Status::Warning, failing(instance)),
        Health::Passing
        | Health::Warning
        | Health::Starting
        | Health::Critical
        | Health::Draining
        | Health::Maintenance => (Status::Critical, failing(instance)),
    };
    let node = catalog.registry().checks_of(instance.node.as_str(), "");
    let node = said(node.filter(|other| is_other(other, check)));
    node.filter(|(status, _)| *status > own.0).unwrap_or(own)
}

fn failing(instance: &Instance) -> String {
    let reason = instance.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    let (name, phase) = (&instance.service, instance.phase.as_str());
    cut(format!("Aliased check \"Service '{name}' check\" failing: {phase}, {}{reason}", instance.health))
}

/// No alias waits for another, so that none waits for itself.
fn is_other(other: &Check, check: &Check) -> bool {
    other.id != check.id && !matches!(other.definition.kind, Kind::Alias { .. })
}

#[cfg(test)]
mod tests;
