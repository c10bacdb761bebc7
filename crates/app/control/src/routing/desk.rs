//! Where the gateway's workers bring their reports. Called on their threads: takes a lock for a moment, waits for nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use adsum_gateway::{Control, Ejected, Report};
use adsum_model::Name;
use adsum_routing::{InFlight, LEASE, Table};
use adsum_store::Directory;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::ejection::{Ejection, merge};
use crate::Acknowledgements;

/// Worker and port numbers are known, so that nothing here grows.
pub(super) struct Desk {
    acknowledgements: Acknowledgements,
    /// Not there while the journal is being read. Another one when it has been given away and taken back.
    directory: Mutex<Option<Directory>>,
    /// Whether the table follows a view: without one nobody knows what has become of its instances.
    follows: AtomicBool,
    started: Instant,
    workers: Vec<Seen>,
    ports: Mutex<BTreeMap<u16, Result<(), String>>>,
    /// Counts what is to be told of.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Seen {
    /// Of the last report, in milliseconds since the start.
    at: AtomicU64,
    cut: AtomicU64,
    ejected: Mutex<Vec<Ejected>>,
}

/// A published port, and why it is not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    pub port: u16,
    pub error: Option<String>,
}

impl Desk {
    pub(super) fn new(acknowledgements: Acknowledgements, workers: usize) -> Desk {
        Desk {
            acknowledgements,
            directory: Mutex::default(),
            follows: AtomicBool::new(false),
            started: Instant::now(),
            workers: (0..workers).map(|_| Seen::default()).collect(),
            ports: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }

    pub(super) fn follow(&self, directory: Directory) {
        *self.directory.lock() = Some(directory);
        self.follows.store(true, Ordering::Release);
    }

    /// There will be no further view.
    pub(super) fn lose(&self) {
        self.follows.store(false, Ordering::Release);
    }

    /// Rises when a port was opened or could not be, and when an instance was ejected or is back.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn ports(&self) -> Vec<Port> {
        let ports = self.ports.lock();
        ports.iter().map(|(port, outcome)| Port { port: *port, error: outcome.clone().err() }).collect()
    }

    /// What became of a port counts for as long as it is published without a break: for both tables.
    pub(super) fn publish(&self, before: &Table, after: &Table) {
        let is_kept = |port: u16| before.publisher(port).is_some() && after.publisher(port).is_some();
        self.ports.lock().retain(|port, _| is_kept(*port));
    }

    pub(super) fn cut(&self) -> u64 {
        self.workers.iter().map(|seen| seen.cut.load(Ordering::Relaxed)).sum()
    }

    /// Each instance that any worker sends nothing for its failures.
    pub(super) fn ejected(&self) -> Vec<Ejection> {
        let reports: Vec<Vec<Ejected>> =
            self.workers.iter().map(|seen| seen.ejected.lock().clone()).collect();
        merge(reports, Instant::now())
    }

    /// The last word of a worker about whom it has ejected.
    fn eject(&self, worker: usize, ejected: Vec<Ejected>) {
        let Some(seen) = self.workers.get(worker) else { return };
        let before = std::mem::replace(&mut *seen.ejected.lock(), ejected.clone());
        let ids = |ejected: Vec<Ejected>| ejected.into_iter().map(|it| it.instance).collect::<BTreeSet<_>>();
        if ids(before) != ids(ejected) {
            self.changed.send_modify(|count| *count += 1);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Control for Desk {
    fn report(&self, worker: usize, report: Report) {
        if let Some(seen) = self.workers.get(worker) {
            seen.at.store(self.now(), Ordering::Relaxed);
            seen.cut.store(report.cut, Ordering::Relaxed);
        }
        self.eject(worker, report.ejected);
        let in_flight = report.in_flight.into_iter().map(|(instance, count)| {
            let count = InFlight { requests: count.requests.into(), upgrades: count.upgrades.into() };
            (instance, count)
        });
        self.acknowledgements.report(worker, report.applied, in_flight);
    }

    fn ended(&self, worker: usize) {
        self.eject(worker, Vec::new());
        self.acknowledgements.end(worker);
    }

    fn has_lease(&self, worker: usize) -> bool {
        let last = self.workers.get(worker).map_or(0, |seen| seen.at.load(Ordering::Relaxed));
        let lease = u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX);
        self.follows.load(Ordering::Acquire) && self.now().saturating_sub(last) < lease
    }

    fn asked(&self, service: &Name) {
        // Before there is a directory nobody is taken away, and from then on everybody counts as asked for a while.
        if let Some(directory) = &*self.directory.lock() {
            directory.asked(service);
        }
    }

    fn listening(&self, port: u16, outcome: Result<(), String>) {
        self.ports.lock().insert(port, outcome);
        self.changed.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use adsum_catalog::{Catalog, records};
    use adsum_keyspace::{Database, Keyspace, Now};
    use adsum_model::{Protocol, Publish, Revision, Service, Spec};

    use super::*;

    fn desk() -> Desk {
        Desk::new(Acknowledgements::new("n1".parse().unwrap()), 2)
    }

    #[test]
    fn a_worker_has_a_lease_while_it_reports_and_a_view_is_followed() {
        let desk = desk();
        assert!(!desk.has_lease(0), "there is no view yet");
        desk.follows.store(true, Ordering::Release);
        assert!(desk.has_lease(0));
        let long_ago = Desk { started: Instant::now() - 2 * LEASE, ..desk };
        assert!(!long_ago.has_lease(0));
        long_ago.report(0, Report { applied: Revision(1), ..Report::default() });
        assert!(long_ago.has_lease(0) && !long_ago.has_lease(1));
        long_ago.lose();
        assert!(!long_ago.has_lease(0));
    }

    #[test]
    fn a_port_that_could_not_be_opened_is_told_with_its_reason() {
        let desk = desk();
        let mut changed = desk.subscribe();
        changed.borrow_and_update();
        desk.listening(80, Err("permission denied".into()));
        assert!(changed.has_changed().unwrap());
        assert_eq!(desk.ports(), [Port { port: 80, error: Some("permission denied".into()) }]);
        desk.listening(80, Ok(()));
        assert_eq!(desk.ports(), [Port { port: 80, error: None }]);
    }

    /// A table of one service that publishes this port, or none.
    fn publishing(port: Option<u16>) -> Table {
        let mut spec = Spec::new("web".parse().unwrap(), vec!["serve".into()]);
        spec.routing.publish =
            port.into_iter().map(|port| Publish { port, target: None, protocol: Protocol::Http }).collect();
        let service = Service::new(spec, 1, 1);
        let mut keyspace = Keyspace::default();
        keyspace.transact(Now::default(), |tx| records::put_service(tx, &service)).unwrap();
        Table::build(&Catalog::load(keyspace.keys(Database::System), keyspace.revision()), None)
    }

    #[test]
    fn what_became_of_a_port_is_forgotten_when_it_is_published_no_more() {
        let desk = desk();
        let (with, without) = (publishing(Some(9000)), publishing(None));
        desk.publish(&without, &with);
        desk.listening(9000, Err("address in use".into()));
        desk.publish(&with, &with);
        assert_eq!(desk.ports().len(), 1);
        desk.publish(&with, &without);
        assert_eq!(desk.ports(), []);
        // One that was late.
        desk.listening(9000, Err("address in use".into()));
        desk.publish(&without, &with);
        assert_eq!(desk.ports(), []);
    }

    #[test]
    fn what_workers_have_cut_adds_up() {
        let desk = desk();
        desk.report(0, Report { cut: 2, ..Report::default() });
        desk.report(1, Report { cut: 3, ..Report::default() });
        desk.report(1, Report { cut: 4, ..Report::default() });
        assert_eq!(desk.cut(), 6);
    }
}
