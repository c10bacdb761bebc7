//! Instances that the gateway's workers send nothing for a while, because they have failed several times in a row: each
//! worker goes by what it has seen itself, and this is what they say together.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use adsum_gateway::Ejected;
use adsum_model::{InstanceId, Name};

/// An instance that at least one worker has ejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ejection {
    pub service: Name,
    pub instance: InstanceId,
    /// Technical ones, in a row: the most that one worker has seen.
    pub failures: u32,
    /// Until when the last of the workers passes it over.
    pub until: Instant,
    /// How many workers pass it over.
    pub workers: usize,
}

impl Ejection {
    pub fn rest(&self, now: Instant) -> Duration {
        self.until.saturating_duration_since(now)
    }
}

/// From the last report of each worker; what is over by now is left out.
pub(super) fn merge(reports: Vec<Vec<Ejected>>, now: Instant) -> Vec<Ejection> {
    let mut merged: BTreeMap<InstanceId, Ejection> = BTreeMap::new();
    for Ejected { service, instance, failures, until } in reports.into_iter().flatten() {
        if until <= now {
            continue;
        }
        let fresh = Ejection { service, instance: instance.clone(), failures, until, workers: 0 };
        let ejection = merged.entry(instance).or_insert(fresh);
        ejection.failures = ejection.failures.max(failures);
        ejection.until = ejection.until.max(until);
        ejection.workers += 1;
    }
    merged.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn what_workers_say_of_one_instance_is_one_ejection_until_the_last_of_them_takes_it_back() {
        let now = Instant::now();
        let service: Name = "web".parse().unwrap();
        let of = |seed, failures, until| Ejected {
            service: service.clone(),
            instance: InstanceId::from_seed(seed),
            failures,
            until,
        };
        let reports = vec![vec![of(1, 5, now + S), of(2, 5, now)], vec![of(1, 7, now + 3 * S)], Vec::new()];
        let merged = merge(reports.clone(), now);
        assert_eq!(merged.len(), 1, "the other's time is over");
        let Ejection { instance, failures, workers, .. } = &merged[0];
        assert_eq!((instance, *failures, *workers), (&InstanceId::from_seed(1), 7, 2));
        assert_eq!(merged[0].rest(now), 3 * S);
        assert_eq!(merge(reports, now + 3 * S), []);
    }
}
