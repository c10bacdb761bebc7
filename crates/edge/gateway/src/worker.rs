//! One thread with everything that it serves: nothing of it is shared with the other workers.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use adsum_balance::Moment;
use adsum_model::{InstanceId, Name, Protocol, Revision};
use adsum_routing::{Entrance, Member, Pool, Table};
use tokio::sync::{Notify, mpsc, watch};

use crate::client::Door;
use crate::control::{Control, InFlight, Report};
use crate::date::HttpDate;
use crate::log::AccessLogger;
use crate::metrics::Ledger;
use crate::settings::Settings;
use crate::station::Station;
use crate::tls::Certificate;
use crate::upstream::{Authorities, Role, Upstream};

mod accept;
mod ports;

pub(crate) use ports::Doorman;

/// How often a worker reports when nothing happens, and looks after its connections.
const TICK: Duration = Duration::from_secs(1);

pub(crate) struct Worker {
    pub(crate) number: usize,
    pub(crate) settings: Arc<Settings>,
    pub(crate) control: Arc<dyn Control>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) log: AccessLogger,
    /// Until when what is in flight may go on, from the moment the gateway stops.
    pub(crate) stop: watch::Receiver<Option<Instant>>,
    certificate: Option<Certificate>,
    house: Arc<House>,
    table: RefCell<Arc<Table>>,
    stations: RefCell<BTreeMap<Name, Rc<Station>>>,
    /// Left the table, or are spoken to in another way now, with something in flight.
    leaving: RefCell<Vec<Rc<Upstream>>>,
    lots: Cell<u64>,
    /// Rung when the last of what an instance had in flight has ended while it drains.
    bell: Rc<Notify>,
    pub(crate) date: HttpDate,
}

/// What all workers have together.
#[derive(Debug, Default)]
pub(crate) struct House {
    /// Connections of clients.
    open: AtomicUsize,
    pub(crate) authorities: Authorities,
    /// Milliseconds that a client which is owed nothing has to say something, from the moment the gateway stops.
    last_request: AtomicU64,
}

impl House {
    pub(crate) fn set_last_request(&self, patience: Duration) {
        let millis = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        self.last_request.store(millis, Ordering::Relaxed);
    }
}

/// What a worker is told.
pub(crate) enum Order {
    Apply(Arc<Table>),
    Open { port: u16, protocol: Protocol, listener: std::net::TcpListener },
    Close { port: u16 },
}

/// What a worker is made of.
pub(crate) struct Parts {
    pub(crate) number: usize,
    pub(crate) settings: Arc<Settings>,
    pub(crate) control: Arc<dyn Control>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) log: AccessLogger,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) house: Arc<House>,
    pub(crate) stop: watch::Receiver<Option<Instant>>,
    /// Whether it may accept.
    pub(crate) open: watch::Receiver<bool>,
    pub(crate) seed: u64,
}

/// The sockets that it begins with.
pub(crate) struct Listeners {
    pub(crate) plain: std::net::TcpListener,
    pub(crate) tls: Option<std::net::TcpListener>,
}

impl Worker {
    fn new(parts: Parts) -> Rc<Worker> {
        Rc::new(Worker {
            number: parts.number,
            settings: parts.settings,
            control: parts.control,
            ledger: parts.ledger,
            log: parts.log,
            stop: parts.stop,
            certificate: parts.certificate,
            house: parts.house,
            table: RefCell::default(),
            stations: RefCell::default(),
            leaving: RefCell::default(),
            lots: Cell::new(parts.seed),
            bell: Rc::default(),
            date: HttpDate::default(),
        })
    }

    /// Serves until the gateway stops and all has ended, or the grace is over. Belongs on a runtime of its own.
    pub(crate) async fn run(parts: Parts, listeners: Listeners, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut open = parts.open.clone();
        let worker = Worker::new(parts);
        let mut stop = worker.stop.clone();
        tokio::select! {
            biased;
            _ = stop.wait_for(Option::is_some) => return,
            // An error means that the gateway is gone, which the loop below sees.
            _ = open.wait_for(|open| *open) => {}
        }
        let mut doors = accept::Doors::new(&worker, listeners);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = stop.wait_for(Option::is_some) => break,
                order = orders.recv() => match order {
                    Some(order) => worker.heed(order, &mut doors),
                    None => break,
                },
                () = worker.bell.notified() => worker.report(),
                _ = tick.tick() => worker.look_after(),
            }
        }
        worker.close(doors, &mut orders, &mut tick).await;
    }

    /// Takes what is in the queues of its listeners, then waits for what is in flight.
    async fn close(
        self: &Rc<Worker>,
        doors: accept::Doors,
        orders: &mut mpsc::UnboundedReceiver<Order>,
        tick: &mut tokio::time::Interval,
    ) {
        doors.close().await;
        let until = self.stop.borrow().unwrap_or_else(Instant::now);
        let mut ending = std::pin::pin!(tokio::time::sleep_until(until.into()));
        while self.ledger.connections.get() > 0 {
            tokio::select! {
                () = ending.as_mut() => break,
                // Whoever is still served is served by the last table, and its drains are still reported.
                Some(Order::Apply(table)) = orders.recv() => self.apply(table),
                () = self.bell.notified() => self.report(),
                _ = tick.tick() => self.look_after(),
            }
        }
        self.report();
        self.control.ended(self.number);
    }

    fn heed(self: &Rc<Worker>, order: Order, doors: &mut accept::Doors) {
        match order {
            Order::Apply(table) => self.apply(table),
            Order::Open { port, protocol, listener } => doors.open(self, port, protocol, listener),
            Order::Close { port } => doors.shut(port),
        }
    }

    /// Requests that come from now on find their way by this table.
    fn apply(&self, table: Arc<Table>) {
        let now = Instant::now();
        let mut stations = self.stations.borrow_mut();
        let mut before = std::mem::take(&mut *stations);
        for (name, pool) in &table.pools {
            let station = match before.remove(name) {
                Some(station) => {
                    if !station.has(pool) {
                        station.update(pool, self, now);
                    }
                    station
                }
                None => Station::new(pool, self, now),
            };
            stations.insert(name.clone(), station);
        }
        drop(stations);
        before.into_values().for_each(|station| station.close(self, now));
        self.forget_routes(&table);
        *self.table.borrow_mut() = table;
        self.ledger.sweep();
        self.report();
    }

    /// Nothing more is counted of what the table does not have.
    fn forget_routes(&self, table: &Table) {
        let labels: HashSet<&str> = table.routes().map(|route| route.label.as_str()).collect();
        let ports: HashSet<u16> = table.ports().map(|(port, _)| port).collect();
        for station in self.stations.borrow().values() {
            station.keep_routes(|label| {
                let port = label.rsplit_once(":").and_then(|(_, port)| port.parse().ok());
                labels.contains(label) || port.is_some_and(|port| ports.contains(&port))
            });
        }
    }

    pub(crate) fn table(&self) -> std::cell::Ref<'_, Arc<Table>> {
        self.table.borrow()
    }

    /// None of a service that has just gone.
    pub(crate) fn station(&self, pool: &Pool) -> Option<Rc<Station>> {
        self.stations.borrow().get(&pool.service).cloned()
    }

    pub(crate) fn upstream(&self, role: Role<'_>) -> Rc<Upstream> {
        let limits = &self.settings.limits;
        Upstream::new(role, &self.ledger, &self.bell, limits)
    }

    /// It is in no pool any more. Kept as long as it has something in flight, so that this can be told.
    pub(crate) fn part_with(&self, upstream: Rc<Upstream>) {
        upstream.depart();
        if !upstream.in_flight().is_empty() {
            self.leaving.borrow_mut().push(upstream);
        }
    }

    /// The one that was parted with, if it comes back as it was: what it has in flight is its own again.
    pub(crate) fn take_back(&self, member: &Member) -> Option<Rc<Upstream>> {
        let mut leaving = self.leaving.borrow_mut();
        let at = leaving.iter().position(|upstream| upstream.is_for(member))?;
        Some(leaving.swap_remove(at))
    }

    /// What an instance has in flight from before it was spoken to otherwise ends with the rest of it.
    pub(crate) fn tell_leaving(&self, member: &Member, now: Instant) {
        let leaving = self.leaving.borrow();
        let of_it = leaving.iter().filter(|upstream| upstream.instance == member.instance);
        of_it.for_each(|upstream| upstream.tell(member.standing, now));
    }

    /// Tells what is applied, what is in flight, and who is ejected.
    fn report(&self) {
        self.leaving.borrow_mut().retain(|upstream| !upstream.in_flight().is_empty());
        let applied: Revision = self.table.borrow().revision;
        self.ledger.applied.set(applied.0);
        let mut in_flight: BTreeMap<InstanceId, InFlight> = BTreeMap::new();
        let mut count = |upstream: &Upstream| {
            *in_flight.entry(upstream.instance.clone()).or_default() += upstream.in_flight();
        };
        self.leaving.borrow().iter().for_each(|upstream| count(upstream));
        for station in self.stations.borrow().values() {
            station
                .upstreams()
                .iter()
                .filter(|upstream| upstream.departs())
                .for_each(|upstream| count(upstream));
        }
        let in_flight = in_flight.into_iter().collect();
        let now = Instant::now();
        let ejected = self.stations.borrow().values().flat_map(|station| station.ejected(now)).collect();
        let cut = self.ledger.cut.get();
        self.control.report(self.number, Report { applied, in_flight, ejected, cut });
    }

    /// Once a second.
    fn look_after(&self) {
        let now = Instant::now();
        for station in self.stations.borrow().values() {
            station.upstreams().iter().for_each(|upstream| upstream.sweep(now));
        }
        self.report();
    }

    /// A number that nobody can guess from the ones before, without asking the system (SplitMix64).
    pub(crate) fn lot(&self) -> u64 {
        let state = self.lots.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.lots.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn workers(&self) -> u32 {
        u32::try_from(self.settings.workers.max(1)).unwrap_or(u32::MAX)
    }

    pub(crate) fn last_request(&self) -> Duration {
        Duration::from_millis(self.house.last_request.load(Ordering::Relaxed))
    }

    pub(crate) fn has_lease(&self) -> bool {
        self.control.has_lease(self.number)
    }

    pub(crate) fn authorities(&self) -> &Authorities {
        &self.house.authorities
    }

    pub(crate) fn acceptor(&self) -> Option<tokio_rustls::TlsAcceptor> {
        self.certificate.as_ref().map(Certificate::acceptor)
    }

    fn door(&self, entrance: Entrance, port: u16, tls: bool) -> Door {
        let listener = Rc::new(adsum_forward::Gate::new(port, tls, self.settings.trusted.clone()));
        Door { entrance, tls, listener }
    }

    /// A connection goes on as something else.
    pub(crate) fn adopt(self: &Rc<Worker>) -> Guest {
        self.house.open.fetch_add(1, Ordering::Relaxed);
        self.ledger.connections.add(1);
        Guest(self.clone())
    }

    /// A connection begins, if there is room.
    fn welcome(self: &Rc<Worker>) -> Option<Guest> {
        let open = self.house.open.fetch_add(1, Ordering::Relaxed);
        let guest = Guest(self.clone());
        self.ledger.connections.add(1);
        (open < self.settings.limits.connections).then_some(guest)
    }
}

/// A client's connection is open.
pub(crate) struct Guest(Rc<Worker>);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.house.open.fetch_sub(1, Ordering::Relaxed);
        self.0.ledger.connections.sub(1);
        if self.0.ledger.connections.get() == 0 && self.0.stop.borrow().is_some() {
            self.0.bell.notify_one();
        }
    }
}

/// The present moment by both clocks.
pub(crate) fn moment() -> Moment {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Moment { now: Instant::now(), wall: u64::try_from(wall).unwrap_or(u64::MAX) }
}
