//! The gateway as whoever runs it sees it.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use adsum_model::{Name, Revision};
use adsum_routing::Table;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use crate::control::Control;
use crate::log::{AccessLogger, Writer};
use crate::metrics::{Ledger, Text, Totals};
use crate::settings::Settings;
use crate::sockets::{Held, Sockets, given_or_bound};
use crate::tls::{Certificate, LOOK};
use crate::worker::{Doorman, House, Listeners, Order, Parts, Worker};

/// How long a client that is owed nothing when the gateway stops has to say something.
const LAST_REQUEST: Duration = Duration::from_millis(500);
/// Tasks that a worker polls before it looks for news. What a connection of some hundred has to say at a time is heard at
/// once, and answered in one go; all of it takes a millisecond or two.
const TURNS: u32 = 200;

/// Serves until it is stopped. Dropped, it stops at once.
pub struct Gateway {
    addresses: Addresses,
    ledgers: Vec<Arc<Ledger>>,
    orders: Vec<mpsc::UnboundedSender<Order>>,
    tables: watch::Sender<Arc<Table>>,
    stop: watch::Sender<Option<Instant>>,
    open: watch::Sender<bool>,
    held: Arc<Held>,
    house: Arc<House>,
    log: Mutex<Option<AccessLogger>>,
    threads: Vec<JoinHandle<()>>,
    keeper: Option<JoinHandle<()>>,
    writer: Option<Writer>,
}

/// Where it is reached, with the ports that it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    pub plain: SocketAddr,
    pub tls: Option<SocketAddr>,
}

/// A worker at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerStatus {
    pub worker: usize,
    pub applied: Revision,
    pub connections: u64,
    pub requests: u64,
    pub upgrades: u64,
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "cannot listen on {addr} for the gateway (is something else there? choose another with --gateway-addr)"
    )]
    Bind { addr: SocketAddr, source: io::Error },
    #[error("the gateway's certificate cannot be used")]
    Certificate(#[source] io::Error),
    #[error("the access log cannot be written")]
    Log(#[source] io::Error),
    #[error("cannot start a thread for the gateway")]
    Thread(#[source] io::Error),
}

impl Gateway {
    /// Binds its addresses and serves; without a table every request is answered with 404.
    pub fn start(settings: Settings, control: Arc<dyn Control>) -> Result<Gateway, StartError> {
        Gateway::start_with(settings, control, Arc::default())
    }

    /// The same with a table by which the first request finds its way already.
    pub fn start_with(
        settings: Settings,
        control: Arc<dyn Control>,
        table: Arc<Table>,
    ) -> Result<Gateway, StartError> {
        let gateway = Gateway::prepare(settings, control, table, Sockets::default())?;
        gateway.open();
        Ok(gateway)
    }

    /// Everything but that it accepts nothing before it is [opened](Gateway::open). Sockets that are given come before
    /// the addresses of the settings; there are at least as many workers as sockets of an address.
    pub fn prepare(
        settings: Settings,
        control: Arc<dyn Control>,
        table: Arc<Table>,
        given: Sockets,
    ) -> Result<Gateway, StartError> {
        let workers = settings.workers.max(given.workers()).max(1);
        let settings = Arc::new(Settings { workers, ..settings });
        let certificate =
            settings.tls.as_ref().map(Certificate::read).transpose().map_err(StartError::Certificate)?;
        let Sockets { plain, tls, published } = given;
        let (plain, tls) = bind_all(&settings, plain, tls)?;
        let held =
            Held::new(&plain, &tls).map_err(|source| StartError::Bind { addr: settings.addr, source })?;
        let held = Arc::new(held);
        let addresses = Addresses { plain: local(&plain, settings.addr), tls: tls_address(&tls, &settings) };
        let (log, writer) = AccessLogger::open(&settings.access_log).map_err(StartError::Log)?;
        let (stop, stopped) = watch::channel(None);
        let mut gateway = Gateway {
            addresses,
            ledgers: Vec::new(),
            orders: Vec::new(),
            tables: watch::Sender::new(table),
            stop,
            open: watch::Sender::new(false),
            held: held.clone(),
            house: Arc::default(),
            log: Mutex::new(Some(log.clone())),
            threads: Vec::new(),
            keeper: None,
            writer: Some(writer),
        };
        let house = gateway.house.clone();
        let mut tls = tls.into_iter();
        for (number, plain) in plain.into_iter().enumerate() {
            let parts = Parts {
                number,
                settings: settings.clone(),
                control: control.clone(),
                ledger: Arc::default(),
                log: log.clone(),
                certificate: certificate.clone(),
                house: house.clone(),
                stop: stopped.clone(),
                open: gateway.open.subscribe(),
                // The hasher's keys come from the system's randomness.
                seed: RandomState::new().hash_one(number),
            };
            gateway.hire(parts, Listeners { plain, tls: tls.next() })?;
        }
        let doorman = Doorman {
            settings: settings.clone(),
            control,
            workers: gateway.orders.clone(),
            held,
            given: published,
            open: HashMap::new(),
            failed: HashMap::new(),
            closing: HashMap::new(),
        };
        gateway.keep(settings, doorman, certificate, house, stopped)?;
        Ok(gateway)
    }

    /// Accepts from now on.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// A double of every socket that is listened on at the moment, for a process that is to go on with them.
    pub fn sockets(&self) -> io::Result<Sockets> {
        self.held.sockets()
    }

    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// From soon on every worker finds its way by this table; each reports when it does.
    pub fn apply(&self, table: Arc<Table>) {
        for worker in &self.orders {
            let _ = worker.send(Order::Apply(table.clone()));
        }
        self.tables.send_replace(table);
    }

    /// What all workers have counted of a service.
    pub fn totals(&self, service: &Name) -> Totals {
        let mut totals = Totals::default();
        self.ledgers.iter().for_each(|ledger| totals.add(&ledger.totals(service)));
        totals
    }

    /// Everything that was counted, as Prometheus reads it.
    pub fn metrics(&self) -> String {
        let mut text = Text::default();
        self.ledgers.iter().for_each(|ledger| text.add(ledger));
        let dropped = self.log.lock().as_ref().map_or(0, AccessLogger::dropped);
        text.single(
            "adsum_gateway_log_dropped_total",
            "Lines of the access log that were not written.",
            "counter",
            dropped,
        );
        text.single(
            "adsum_gateway_table_revision",
            "The routing revision that all workers have applied.",
            "gauge",
            self.ledgers.iter().map(|ledger| ledger.applied.get()).min().unwrap_or(0),
        );
        text.print()
    }

    pub fn status(&self) -> Vec<WorkerStatus> {
        let status = |(worker, ledger): (usize, &Arc<Ledger>)| WorkerStatus {
            worker,
            applied: Revision(ledger.applied.get()),
            connections: ledger.connections.get(),
            requests: ledger.in_flight.get(),
            upgrades: ledger.upgrades.get(),
        };
        self.ledgers.iter().enumerate().map(status).collect()
    }

    /// The access log's file has been moved away: a new one is begun.
    pub fn reopen_log(&self) {
        if let Some(log) = &*self.log.lock() {
            log.reopen();
        }
    }

    /// Accepts nothing more, tells clients to go elsewhere, and returns when what was in flight has ended, or `grace`
    /// is over. Blocks meanwhile.
    pub fn stop(mut self, grace: Duration) {
        self.retire(grace, LAST_REQUEST).wait();
    }

    /// The same, but for the waiting: tables still have their effect on what is in flight. A client that is owed nothing
    /// keeps its connection for `last_request`, so that a request that is on its way is answered, and told that it was the
    /// last one.
    pub fn retire(&mut self, grace: Duration, last_request: Duration) -> Retirement {
        self.house.set_last_request(last_request);
        // What workers close is closed then, unless another process has it.
        self.held.close_all();
        self.stop.send_replace(Some(Instant::now() + grace));
        Retirement {
            threads: self.threads.drain(..).chain(self.keeper.take()).collect(),
            log: self.log.lock().take(),
            writer: self.writer.take(),
        }
    }

    fn hire(&mut self, parts: Parts, listeners: Listeners) -> Result<(), StartError> {
        let (orders, given) = mpsc::unbounded_channel();
        // Heeded before anything is accepted.
        let _ = orders.send(Order::Apply(self.tables.borrow().clone()));
        self.ledgers.push(parts.ledger.clone());
        self.orders.push(orders);
        let name = format!("gateway-{}", parts.number);
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .event_interval(TURNS)
                .build_local(tokio::runtime::LocalOptions::default())
        };
        let thread = std::thread::Builder::new().name(name).spawn(move || match runtime() {
            Ok(runtime) => runtime.block_on(Worker::run(parts, listeners, given)),
            Err(error) => tracing::error!(%error, "a worker of the gateway has no runtime"),
        });
        self.threads.push(thread.map_err(StartError::Thread)?);
        Ok(())
    }

    /// A thread for what concerns all workers: published ports, and the files of certificates and authorities.
    fn keep(
        &mut self,
        settings: Arc<Settings>,
        doorman: Doorman,
        certificate: Option<Certificate>,
        house: Arc<House>,
        mut stopped: watch::Receiver<Option<Instant>>,
    ) -> Result<(), StartError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
        let mut tables = self.tables.subscribe();
        // The first table has ports too.
        tables.mark_changed();
        let tls = settings.tls.clone().zip(certificate);
        let follow = async {
            match tls {
                Some((settings, certificate)) => certificate.follow(settings, LOOK).await,
                None => std::future::pending().await,
            }
        };
        let keep = async move {
            tokio::select! {
                _ = stopped.wait_for(Option::is_some) => {}
                () = doorman.run(tables) => {}
                () = follow => {}
                () = house.authorities.follow(LOOK) => {}
            }
        };
        let thread = std::thread::Builder::new()
            .name("gateway-keeper".to_owned())
            .spawn(move || runtime.block_on(keep));
        self.keeper = Some(thread.map_err(StartError::Thread)?);
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.retire(Duration::ZERO, Duration::ZERO).wait();
        }
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// A gateway that accepts nothing any more, with what it has in flight.
pub struct Retirement {
    threads: Vec<JoinHandle<()>>,
    log: Option<AccessLogger>,
    writer: Option<Writer>,
}

impl Retirement {
    /// Returns when all of it has ended. Blocks meanwhile.
    pub fn wait(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the gateway has panicked");
            }
        }
        drop(self.log);
        if let Some(writer) = self.writer {
            writer.join();
        }
    }
}

type Bound = Vec<std::net::TcpListener>;

fn bind_all(settings: &Settings, plain: Bound, tls: Bound) -> Result<(Bound, Bound), StartError> {
    let bound = |given, addr| {
        given_or_bound(given, addr, settings.workers).map_err(|source| StartError::Bind { addr, source })
    };
    let tls = settings.tls.as_ref().map(|settings| bound(tls, settings.addr)).transpose()?;
    Ok((bound(plain, settings.addr)?, tls.unwrap_or_default()))
}

fn local(listeners: &Bound, wished: SocketAddr) -> SocketAddr {
    listeners.first().and_then(|listener| listener.local_addr().ok()).unwrap_or(wished)
}

fn tls_address(listeners: &Bound, settings: &Settings) -> Option<SocketAddr> {
    settings.tls.as_ref().map(|tls| local(listeners, tls.addr))
}
