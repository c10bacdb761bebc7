//! What was counted of one service, all workers together, since the gateway began.
//!
//! Series go when nobody counts in them any more, and the sums of what they had stay: whoever compares two moments loses
//! nothing by instances that went between them.

use std::collections::BTreeMap;

use adsum_model::Name;

use super::{BOUNDS, Classes, InstanceSeries, Ledger, RouteSeries};

/// Services of which sums are kept after their series have gone.
const GONE: usize = 20_000;

/// Counts only grow, so that the difference of two is what happened between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Answered by an instance or by the gateway itself.
    pub requests: u64,
    /// With a status of 500 or more.
    pub failed: u64,
    /// Tries beyond the first.
    pub retried: u64,
    /// Waited for an instance.
    pub held: u64,
    /// Long-lived connections cut at the end of a drain.
    pub cut: u64,
    /// By version: the tries of its instances.
    pub versions: BTreeMap<u32, Tries>,
    /// Of the time from head to end, by the bounds of the histogram; the last is for what took longer.
    durations: [u64; BOUNDS.len() + 1],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    pub tries: u64,
    /// Without an answer, or with a status of 500 or more.
    pub failed: u64,
}

impl Totals {
    /// What has come since `before`.
    pub fn since(&self, before: &Totals) -> Totals {
        let mut since = self.clone();
        since.requests = since.requests.saturating_sub(before.requests);
        since.failed = since.failed.saturating_sub(before.failed);
        since.retried = since.retried.saturating_sub(before.retried);
        since.held = since.held.saturating_sub(before.held);
        since.cut = since.cut.saturating_sub(before.cut);
        for (version, tries) in &mut since.versions {
            let had = before.versions.get(version).copied().unwrap_or_default();
            tries.tries = tries.tries.saturating_sub(had.tries);
            tries.failed = tries.failed.saturating_sub(had.failed);
        }
        for (count, had) in since.durations.iter_mut().zip(before.durations) {
            *count = count.saturating_sub(had);
        }
        since
    }

    /// In microseconds, the upper bound of the bucket in which the answer stands that as many thousandths of all are not
    /// slower than; 0 where nothing was asked. What took longer than the last bound counts as that.
    pub fn quantile(&self, thousandths: u64) -> u64 {
        let total: u64 = self.durations.iter().sum();
        if total == 0 {
            return 0;
        }
        let rank = (total * thousandths).div_ceil(1000).max(1);
        let mut seen = 0;
        let bucket = self.durations.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        BOUNDS[bucket.unwrap_or(BOUNDS.len()).min(BOUNDS.len() - 1)]
    }

    /// Adds what another worker has counted.
    pub(crate) fn add(&mut self, other: &Totals) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.retried += other.retried;
        self.held += other.held;
        self.cut += other.cut;
        for (version, tries) in &other.versions {
            let sum = self.versions.entry(*version).or_default();
            sum.tries += tries.tries;
            sum.failed += tries.failed;
        }
        for (sum, count) in self.durations.iter_mut().zip(other.durations) {
            *sum += count;
        }
    }

    pub(super) fn add_route(&mut self, series: &RouteSeries) {
        let (requests, failed) = requests(&series.requests);
        self.requests += requests;
        self.failed += failed;
        self.retried += series.retries.get();
        self.held += series.held.get();
        let mut within = 0;
        for (sum, bucket) in self.durations.iter_mut().zip(&series.duration.buckets) {
            within += bucket.get();
            *sum += bucket.get();
        }
        self.durations[BOUNDS.len()] += series.duration.count.get().saturating_sub(within);
    }

    pub(super) fn add_instance(&mut self, series: &InstanceSeries) {
        let (requests, failed) = requests(&series.requests);
        let unanswered = series.failures.get();
        let tries = self.versions.entry(series.version).or_default();
        tries.tries += requests + unanswered;
        tries.failed += failed + unanswered;
        self.cut += series.cut.get();
    }
}

/// What was counted in series that have gone, by service.
#[derive(Debug, Default)]
pub(super) struct Gone(BTreeMap<Name, Totals>);

impl Gone {
    pub(super) fn of(&mut self, service: &Name) -> &mut Totals {
        if self.0.len() >= GONE && !self.0.contains_key(service) {
            self.0.pop_first();
        }
        self.0.entry(service.clone()).or_default()
    }
}

impl Ledger {
    pub(crate) fn totals(&self, service: &Name) -> Totals {
        let gone = self.gone.lock();
        let mut totals = gone.0.get(service).cloned().unwrap_or_default();
        let routes = self.routes.lock();
        routes.iter().filter(|series| series.service == *service).for_each(|series| totals.add_route(series));
        let instances = self.instances.lock();
        let own = instances.iter().filter(|series| series.service == *service);
        own.for_each(|series| totals.add_instance(series));
        totals
    }
}

/// All of them, and those with a status of 500 or more.
fn requests(classes: &Classes) -> (u64, u64) {
    let counts = classes.0.each_ref().map(super::Counter::get);
    (counts.iter().sum(), counts[4])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use adsum_model::InstanceId;
    use http::StatusCode;

    use super::*;

    #[test]
    fn what_was_counted_in_series_that_have_gone_stays_in_the_sums() {
        let ledger = Ledger::default();
        let (shop, other): (Name, Name) = ("shop".parse().unwrap(), "other".parse().unwrap());
        let count = |service: &Name, version: u32, status: StatusCode| {
            let route = ledger.route(service, "all");
            let instance = ledger.instance(service, version, &InstanceId::from_seed(1));
            route.requests.count(status);
            route.duration.observe(Duration::from_millis(3));
            instance.requests.count(status);
            instance.failures.add(1);
        };
        count(&shop, 1, StatusCode::OK);
        count(&other, 1, StatusCode::OK);
        let before = ledger.totals(&shop);
        ledger.sweep();
        assert_eq!((ledger.totals(&shop), ledger.instances.lock().len()), (before.clone(), 0));
        count(&shop, 2, StatusCode::INTERNAL_SERVER_ERROR);
        let since = ledger.totals(&shop).since(&before);
        assert_eq!((since.requests, since.failed), (1, 1));
        assert_eq!(since.versions[&1], Tries::default());
        assert_eq!(since.versions[&2], Tries { tries: 2, failed: 2 });
        assert_eq!(since.quantile(990), 5_000);
    }

    #[test]
    fn a_quantile_is_the_bound_of_the_bucket_in_which_it_stands() {
        let mut totals = Totals::default();
        assert_eq!(totals.quantile(500), 0);
        totals.durations[0] = 98;
        totals.durations[3] = 1;
        totals.durations[BOUNDS.len()] = 1;
        assert_eq!(
            [totals.quantile(500), totals.quantile(980), totals.quantile(990)],
            [1_000, 1_000, 10_000]
        );
        assert_eq!(totals.quantile(1000), 60_000_000);
    }
}
