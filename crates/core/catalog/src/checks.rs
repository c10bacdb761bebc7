//! What follows from what a check has found: the status, the end of a service that stays critical, what an alias says.
//!
//! Nothing here looks at anything or waits. Moments are ticks that are passed in.

use std::time::Duration;

use adsum_model::registered::{Check, Kind, Status, Thresholds};

use crate::Catalog;

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
    if !service.is_empty() && registry.service(node, service).is_none() {
        return Some((Status::Critical, format!("Service {service} could not be found on node {node}")));
    }
    let of_service =
        registry.checks_of(node, service).filter(|other| !service.is_empty() && is_other(other, check));
    let of_node = registry.checks_of(node, "").filter(|other| is_other(other, check));
    let worst = of_service.chain(of_node).max_by_key(|other| other.status);
    Some(match worst {
        None => (Status::Passing, "No checks found.".to_string()),
        Some(worst) if worst.status == Status::Passing => {
            (Status::Passing, "All checks passing.".to_string())
        }
        Some(worst) => {
            let said = format!("Aliased check \"{}\" failing: {}", worst.name, worst.output);
            (worst.status, cut(said))
        }
    })
}

/// No alias waits for another, so that none waits for itself.
fn is_other(other: &Check, check: &Check) -> bool {
    other.id != check.id && !matches!(other.definition.kind, Kind::Alias { .. })
}

#[cfg(test)]
mod tests;
