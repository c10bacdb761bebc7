//! A gateway with services whose instances are listeners of the test, and clients that see every byte.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adsum_catalog::{Catalog, records};
use adsum_gateway::{Control, Gateway, InFlight, Report, Settings};
use adsum_keyspace::{Keyspace, Now, Space, Transaction};
use adsum_model::{
    Berth, Health, Instance, InstanceId, Name, Phase, Policy, Publish, Revision, Route, Service, Spec,
};
use adsum_routing::Table;
use parking_lot::{Condvar, Mutex};

mod backend;
mod wire;

pub(crate) use backend::Backend;
pub(crate) use wire::Wire;

/// Longer than anything that is waited for takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway with its catalog.
pub(crate) struct House {
    pub(crate) gateway: Gateway,
    pub(crate) control: Arc<Recorder>,
    keyspace: Keyspace,
    catalog: Catalog,
    table: Option<Arc<Table>>,
}

impl House {
    pub(crate) fn new() -> House {
        House::with(|_| {})
    }

    /// One worker unless `change` says otherwise, so that what a test expects of one connection pool holds.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> House {
        let mut settings = Settings::new("127.0.0.1:0".parse().unwrap());
        settings.workers = 1;
        change(&mut settings);
        let control = Arc::<Recorder>::default();
        let gateway = Gateway::start(settings, control.clone()).unwrap();
        House { gateway, control, keyspace: Keyspace::default(), catalog: Catalog::default(), table: None }
    }

    /// One service with everything at its default, behind all hosts and paths.
    pub(crate) fn serving(backends: &[&Backend]) -> House {
        let mut house = House::new();
        house.serve("web", Policy::default(), backends);
        house
    }

    pub(crate) fn serve(&mut self, service: &str, policy: Policy, backends: &[&Backend]) {
        self.put(service, policy, &["PathPrefix(/)"], &[]);
        for (at, backend) in backends.iter().enumerate() {
            self.instance(service, at as u64 + 1, backend.addr, Health::Passing);
        }
        self.apply();
    }

    pub(crate) fn put(&mut self, service: &str, policy: Policy, rules: &[&str], publish: &[Publish]) {
        let mut spec = Spec::new(service.parse().unwrap(), vec!["true".into()]);
        spec.update.drain_timeout = Duration::from_secs(2);
        spec.routing.policy = policy;
        spec.routing.publish = publish.to_vec();
        spec.routing.routes = rules.iter().map(|rule| route(rule)).collect();
        self.put_spec(spec);
    }

    pub(crate) fn put_spec(&mut self, spec: Spec) {
        let service = Service::new(spec, 1, 0);
        self.run(|tx| records::put_service(tx, &service));
    }

    pub(crate) fn instance(&mut self, service: &str, seed: u64, endpoint: SocketAddr, health: Health) {
        let berth = Berth { id: InstanceId::from_seed(seed), node: "n1".parse().unwrap(), endpoint };
        let mut instance = Instance {
            slot: u32::try_from(seed).unwrap(),
            phase: Phase::Running,
            health,
            proven: true,
            ..Instance::planned(service.parse().unwrap(), berth)
        };
        self.run(|tx| records::put_instance(tx, &mut instance));
    }

    pub(crate) fn remove(&mut self, seed: u64) {
        self.run(|tx| records::delete_instance(tx, &InstanceId::from_seed(seed)));
    }

    /// Makes the table anew and waits until it is applied.
    pub(crate) fn apply(&mut self) -> Revision {
        let table = Arc::new(Table::build(&self.catalog, self.table.as_deref()));
        let revision = table.revision;
        self.table = Some(table.clone());
        self.gateway.apply(table);
        let workers = self.gateway.status().len();
        self.control.wait("the table is applied", |seen| {
            seen.reports.len() == workers && seen.reports.values().all(|report| report.applied >= revision)
        });
        revision
    }

    fn run(&mut self, body: impl FnOnce(&mut Transaction<'_>)) {
        self.keyspace.transact(Now::default(), body).unwrap();
        let seen = self.catalog.revision();
        let commits: Vec<_> = self.keyspace.after(Space::System, seen).unwrap().cloned().collect();
        commits.iter().for_each(|commit| self.catalog.apply(commit));
    }

    /// The one that was applied last.
    pub(crate) fn table(&self) -> Arc<Table> {
        self.table.clone().expect("one was applied")
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.gateway.addresses().plain
    }

    pub(crate) async fn connect(&self) -> Wire {
        Wire::connect(self.addr()).await
    }

    /// What `name{labels}` counts, over all labels that contain `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = self.gateway.metrics();
        let of_it = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(labels)
        };
        text.lines().filter(of_it).map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// Waits until a metric is this.
    pub(crate) async fn metric_becomes(&self, name: &str, labels: &str, expect: f64) {
        let end = Instant::now() + PATIENCE;
        while (self.metric(name, labels) - expect).abs() > f64::EPSILON {
            assert!(
                Instant::now() < end,
                "{name} is {} and not {expect}:\n{}",
                self.metric(name, labels),
                self.gateway.metrics()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(crate) fn route(rule: &str) -> Route {
    Route {
        name: None,
        rule: rule.parse().unwrap(),
        priority: 0,
        weight: None,
        rewrite: Default::default(),
        target: Default::default(),
    }
}

/// Something that one of several connections takes.
pub(crate) struct Shared<T>(tokio::sync::Mutex<Option<T>>);

pub(crate) fn shared<T>(value: T) -> Arc<Shared<T>> {
    Arc::new(Shared(tokio::sync::Mutex::new(Some(value))))
}

impl<T> Shared<T> {
    /// Waits for ever when somebody else has it.
    pub(crate) async fn take(&self) -> T {
        match self.0.lock().await.take() {
            Some(value) => value,
            None => std::future::pending().await,
        }
    }
}

/// Remembers what it is told.
#[derive(Default)]
pub(crate) struct Recorder {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default, Debug)]
pub(crate) struct Seen {
    /// The last one of each worker.
    pub(crate) reports: HashMap<usize, Report>,
    pub(crate) asked: Vec<Name>,
    pub(crate) listening: HashMap<u16, Result<(), String>>,
    /// Why ports could not be opened, all of them.
    pub(crate) troubles: Vec<String>,
    pub(crate) lapsed: bool,
}

impl Seen {
    pub(crate) fn in_flight(&self, seed: u64) -> Option<InFlight> {
        let id = InstanceId::from_seed(seed);
        self.reports
            .values()
            .flat_map(|report| &report.in_flight)
            .find(|(had, _)| *had == id)
            .map(|(_, had)| *had)
    }
}

impl Recorder {
    /// Blocks until it has been told something that fits.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, fits: impl Fn(&Seen) -> bool) {
        let end = Instant::now() + PATIENCE;
        let mut seen = self.seen.lock();
        while !fits(&seen) {
            let late = self.changed.wait_until(&mut seen, end).timed_out();
            assert!(!late, "{what}: not within {PATIENCE:?}, but {seen:?}");
        }
    }

    pub(crate) fn lapse(&self) {
        self.seen.lock().lapsed = true;
    }

    pub(crate) fn asked(&self) -> Vec<Name> {
        self.seen.lock().asked.clone()
    }
}

impl Control for Recorder {
    fn report(&self, worker: usize, report: Report) {
        self.seen.lock().reports.insert(worker, report);
        self.changed.notify_all();
    }

    fn has_lease(&self, _worker: usize) -> bool {
        !self.seen.lock().lapsed
    }

    fn asked(&self, service: &Name) {
        self.seen.lock().asked.push(service.clone());
    }

    fn listening(&self, port: u16, outcome: Result<(), String>) {
        let mut seen = self.seen.lock();
        seen.troubles.extend(outcome.clone().err());
        seen.listening.insert(port, outcome);
        drop(seen);
        self.changed.notify_all();
    }
}
