//! What is counted. Each worker writes counters of its own and nobody else does, so that counting takes no lock and no
//! locked instruction; whoever asks reads all of them and adds them up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use adsum_forward::GatewayError;
use adsum_model::{InstanceId, Name};
use parking_lot::Mutex;

mod text;
mod totals;

pub(crate) use text::Text;
pub use totals::{Totals, Tries};

/// Upper bounds of the latency histogram, in microseconds.
const BOUNDS: [u64; 15] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000, 60_000_000,
];

/// Written by one thread, read by any.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.get() + n, Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, n: u64) {
        self.0.store(self.get() - n, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Requests by the first digit of their status.
#[derive(Debug, Default)]
pub(crate) struct Classes([Counter; 5]);

impl Classes {
    pub(crate) fn count(&self, status: http::StatusCode) {
        if let Some(counter) = self.0.get(usize::from(status.as_u16() / 100).wrapping_sub(1)) {
            counter.add(1);
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [Counter; BOUNDS.len()],
    count: Counter,
    micros: Counter,
}

impl Histogram {
    pub(crate) fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.count.add(1);
        self.micros.add(micros);
        if let Some(bucket) = self.buckets.get(BOUNDS.partition_point(|bound| *bound < micros)) {
            bucket.add(1);
        }
    }
}

/// What comes in by one route of a service.
#[derive(Debug)]
pub(crate) struct RouteSeries {
    pub(crate) service: Name,
    pub(crate) route: String,
    pub(crate) requests: Classes,
    pub(crate) duration: Histogram,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
    pub(crate) held: Counter,
    pub(crate) retries: Counter,
    /// Callers that went before their answer had ended.
    pub(crate) abandoned: Counter,
    errors: Vec<Counter>,
}

/// What goes to one instance.
#[derive(Debug)]
pub(crate) struct InstanceSeries {
    pub(crate) service: Name,
    pub(crate) version: u32,
    pub(crate) instance: InstanceId,
    pub(crate) requests: Classes,
    /// Tries without an answer.
    pub(crate) failures: Counter,
    pub(crate) in_flight: Counter,
    /// 1 while it gets nothing for its failures.
    pub(crate) ejected: Counter,
    pub(crate) upgraded: Counter,
    pub(crate) cut: Counter,
    pub(crate) connections: Counter,
}

/// What one worker counts.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) applied: Counter,
    pub(crate) accepted: Counter,
    pub(crate) connections: Counter,
    pub(crate) turned_away: Counter,
    pub(crate) accept_errors: Counter,
    pub(crate) handshake_errors: Counter,
    pub(crate) rejected: Counter,
    pub(crate) in_flight: Counter,
    pub(crate) upgrades: Counter,
    pub(crate) cut: Counter,
    /// Long-lived connections that were told to leave.
    pub(crate) told: Counter,
    /// Requests that wait for an instance.
    pub(crate) pending: Counter,
    /// Answers of the gateway itself where no route was found.
    pub(crate) unrouted: Counter,
    routes: Mutex<Vec<Arc<RouteSeries>>>,
    instances: Mutex<Vec<Arc<InstanceSeries>>>,
    /// What was counted in series that have gone.
    gone: Mutex<totals::Gone>,
}

impl RouteSeries {
    pub(crate) fn error(&self, code: GatewayError) {
        self.errors[code as usize].add(1);
    }
}

impl Ledger {
    pub(crate) fn route(&self, service: &Name, route: &str) -> Arc<RouteSeries> {
        let mut routes = self.routes.lock();
        if let Some(known) = routes.iter().find(|known| known.service == *service && known.route == route) {
            return known.clone();
        }
        let series = Arc::new(RouteSeries {
            service: service.clone(),
            route: route.to_owned(),
            requests: Classes::default(),
            duration: Histogram::default(),
            received: Counter::default(),
            sent: Counter::default(),
            held: Counter::default(),
            retries: Counter::default(),
            abandoned: Counter::default(),
            errors: GatewayError::ALL.iter().map(|_| Counter::default()).collect(),
        });
        routes.push(series.clone());
        series
    }

    pub(crate) fn instance(
        &self,
        service: &Name,
        version: u32,
        instance: &InstanceId,
    ) -> Arc<InstanceSeries> {
        let series = Arc::new(InstanceSeries {
            service: service.clone(),
            version,
            instance: instance.clone(),
            requests: Classes::default(),
            failures: Counter::default(),
            in_flight: Counter::default(),
            ejected: Counter::default(),
            upgraded: Counter::default(),
            cut: Counter::default(),
            connections: Counter::default(),
        });
        self.instances.lock().push(series.clone());
        series
    }

    /// Forgets what nobody counts any more but for its sums, so that labels do not pile up as instances come and go.
    pub(crate) fn sweep(&self) {
        // Held all the while, so that nobody reads sums from which a series is missing.
        let mut gone = self.gone.lock();
        for series in self.routes.lock().extract_if(.., is_left) {
            gone.of(&series.service).add_route(&series);
        }
        for series in self.instances.lock().extract_if(.., is_left) {
            gone.of(&series.service).add_instance(&series);
        }
    }
}

/// Whether nobody counts in it any more.
fn is_left<T>(series: &mut Arc<T>) -> bool {
    Arc::strong_count(series) == 1
}
