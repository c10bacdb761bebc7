//! The route table of this node: made from the directory's view, given to the gateway, kept on disk.
//!
//! ```text
//! start      last known good table -> gateway, before the journal is read; without whoever has gone (`doubts`)
//! then       view -> Table::build -> gateway, disk; problems -> event log
//! no view    the gateway goes on with the table that it has
//! ```
//!
//! A table is made only from a view, so that losing the store empties no pool. What workers report goes to the barrier
//! ([`Acknowledgements`]); what is wrong with routes and ports is logged once, when it begins.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adsum_catalog::Catalog;
use adsum_gateway::{Addresses, Gateway, Retirement, Sockets, StartError, Totals, WorkerStatus};
use adsum_model::{Name, Revision};
use adsum_routing::{SavedError, Table};
use adsum_store::{Failed, Store};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::Acknowledgements;
use desk::Desk;
use doubts::Doubts;
use last_known::LastKnown;
use troubles::Troubles;

mod desk;
mod doubts;
mod ejection;
mod last_known;
mod troubles;

pub use desk::Port;
pub use ejection::Ejection;

/// Between two writes of the table to disk: in a busy moment it changes many times a second.
const WRITE_PAUSE: Duration = Duration::from_millis(500);
/// How long before a retired gateway is at its end clients that rest are parted with.
const RETIRED_EARLIER: Duration = Duration::from_secs(1);
/// How long an answer waits for the gateways to be where it is.
const REACH_PATIENCE: Duration = Duration::from_secs(1);

/// The gateway of this node, with the table that it has. Clones are the same.
#[derive(Clone)]
pub struct Routing {
    inner: Arc<Inner>,
}

struct Inner {
    node: Name,
    /// There until it is stopped.
    gateway: Mutex<Option<Gateway>>,
    addresses: Addresses,
    desk: Arc<Desk>,
    acknowledgements: Acknowledgements,
    tables: watch::Sender<Current>,
    last_known: Mutex<LastKnown>,
    doubts: Mutex<Doubts>,
    /// Rises when the node controller has looked for the first time.
    looked: watch::Sender<bool>,
}

/// The table that the gateway was given last.
#[derive(Clone)]
pub struct Current {
    pub table: Arc<Table>,
    /// Whether it was made from this store's view; else it is the one that was kept on disk.
    pub fresh: bool,
    pub since: Instant,
}

impl Routing {
    /// Starts the gateway with the table that was kept in `data_dir` for this cluster, if there is one. For whoever has
    /// locked the directory: it binds addresses, and takes what comes in.
    pub fn start(
        node: Name,
        settings: adsum_gateway::Settings,
        data_dir: &Path,
        cluster: Option<String>,
    ) -> Result<Routing, StartError> {
        let routing = Routing::prepare(node, settings, data_dir, cluster, Sockets::default())?;
        routing.open();
        Ok(routing)
    }

    /// The same with sockets that were opened elsewhere, and without accepting anything before [`Routing::open`].
    pub fn prepare(
        node: Name,
        mut settings: adsum_gateway::Settings,
        data_dir: &Path,
        cluster: Option<String>,
        sockets: Sockets,
    ) -> Result<Routing, StartError> {
        settings.workers = settings.workers.max(sockets.workers());
        let acknowledgements = Acknowledgements::new(node.clone());
        // Before it could route anything: nobody is to be taken away behind its back.
        (0..settings.workers).for_each(|worker| acknowledgements.join(worker));
        let desk = Arc::new(Desk::new(acknowledgements.clone(), settings.workers));
        let (last_known, table) = LastKnown::read(data_dir, cluster);
        let doubts = Doubts::new(node.clone());
        let mut table = doubts.of_last_known(&table.unwrap_or_default());
        // Its revision is one of the last run, and says nothing about what is applied of this one's.
        table.revision = Revision::ZERO;
        let table = Arc::new(table);
        let gateway = Gateway::prepare(settings, desk.clone(), table.clone(), sockets)?;
        let tables = watch::Sender::new(Current { table, fresh: false, since: Instant::now() });
        let (last_known, doubts) = (Mutex::new(last_known), Mutex::new(doubts));
        let (addresses, gateway) = (gateway.addresses(), Mutex::new(Some(gateway)));
        let looked = watch::Sender::new(false);
        let inner =
            Inner { node, gateway, addresses, desk, acknowledgements, tables, last_known, doubts, looked };
        Ok(Routing { inner: Arc::new(inner) })
    }

    /// Accepts from now on.
    pub fn open(&self) {
        self.inner.acknowledgements.begin();
        if let Some(gateway) = &*self.inner.gateway.lock() {
            gateway.open();
        }
    }

    /// A double of every socket of the gateway, for a process that is to go on with them.
    pub fn sockets(&self) -> io::Result<Sockets> {
        self.inner.gateway.lock().as_ref().map_or_else(|| Ok(Sockets::default()), Gateway::sockets)
    }

    /// Accepts nothing more; clients keep their connections for one more request each, as long as the grace allows. Tables
    /// that are [obeyed](Routing::obey) still have their effect on what is in flight. None when it was stopped before.
    pub fn retire(&self, grace: Duration) -> Option<Retirement> {
        let last_request = grace.saturating_sub(RETIRED_EARLIER);
        self.inner.gateway.lock().as_mut().map(|gateway| gateway.retire(grace, last_request))
    }

    /// Goes by a table that another process has made of this cluster's data.
    pub fn obey(&self, bytes: &[u8], cluster: &str) -> Result<(), SavedError> {
        self.apply(Table::from_json(bytes, cluster)?);
        Ok(())
    }

    /// Nobody says any more where requests are to go.
    pub fn lose(&self) {
        self.inner.desk.lose();
    }

    /// The table that the gateway was given last, and each one after it.
    pub fn subscribe(&self) -> watch::Receiver<Current> {
        self.inner.tables.subscribe()
    }

    pub fn acknowledgements(&self) -> &Acknowledgements {
        &self.inner.acknowledgements
    }

    pub fn addresses(&self) -> Addresses {
        self.inner.addresses
    }

    pub fn current(&self) -> Current {
        self.inner.tables.borrow().clone()
    }

    /// Waits until every gateway that lives sends requests as the view says, for a moment at most. Where no table is made
    /// of views there is nothing to wait for.
    pub async fn reached(&self, view: &Catalog) {
        if self.current().fresh {
            let reached = self.inner.acknowledgements.reached(view.routing_revision());
            // One that hangs is seen elsewhere.
            let _ = tokio::time::timeout(REACH_PATIENCE, reached).await;
        }
    }

    /// Whether each published port that was asked for could be opened.
    pub fn ports(&self) -> Vec<Port> {
        self.inner.desk.ports()
    }

    /// Each instance that gets nothing from some worker for a while, because it has failed.
    pub fn ejected(&self) -> Vec<Ejection> {
        self.inner.desk.ejected()
    }

    /// Upgraded and TCP connections that were cut at the end of a drain.
    pub fn cut(&self) -> u64 {
        self.inner.desk.cut()
    }

    /// Nothing of a gateway that is being stopped.
    pub fn status(&self) -> Vec<WorkerStatus> {
        self.inner.gateway.lock().as_ref().map(Gateway::status).unwrap_or_default()
    }

    /// What the gateway has counted of a service; nothing of one that is being stopped.
    pub(crate) fn totals(&self, service: &Name) -> Option<Totals> {
        self.inner.gateway.lock().as_ref().map(|gateway| gateway.totals(service))
    }

    /// In the text form that Prometheus reads.
    pub fn metrics(&self) -> String {
        self.inner.gateway.lock().as_ref().map(Gateway::metrics).unwrap_or_default()
    }

    /// Ends the gateway politely, and leaves the table where the next start finds it. Blocks.
    pub fn stop(&self, grace: Duration) {
        let gateway = self.inner.gateway.lock().take();
        if let Some(gateway) = gateway {
            gateway.stop(grace);
        }
        self.save();
    }

    /// Makes the table anew when what decides about it has changed in the view.
    pub fn take_in(&self, view: &Catalog) {
        let current = self.current();
        let mut doubts = self.inner.doubts.lock();
        let is_old = !current.fresh || current.table.revision != view.routing_revision();
        if is_old || doubts.are_over(view.revision()) {
            let table = Table::build(view, Some(&current.table));
            self.apply(doubts.of_view(table, view.revision()));
        }
    }

    /// What the keeper says of this node's instances is on record as of `revision`.
    pub(crate) fn looked(&self, revision: Revision) {
        self.inner.doubts.lock().looked(revision);
        self.inner.looked.send_if_modified(|looked| !std::mem::replace(looked, true));
    }

    /// Whoever wrote the records may have been away since this process wrote the last one itself.
    fn doubt(&self) {
        let mut doubts = self.inner.doubts.lock();
        *doubts = Doubts::new(self.inner.node.clone());
        self.inner.looked.send_replace(false);
    }

    fn apply(&self, table: Table) {
        let table = Arc::new(table);
        // Before anybody could say anything of the new one.
        self.inner.desk.publish(&self.current().table, &table);
        if let Some(gateway) = &*self.inner.gateway.lock() {
            gateway.apply(table.clone());
        }
        self.inner.tables.send_replace(Current { table, fresh: true, since: Instant::now() });
    }

    /// Writes the table down, if it is one of a view and not on disk already. Blocks.
    pub fn save(&self) {
        let current = self.current();
        if current.fresh {
            self.inner.last_known.lock().write(&current.table);
        }
    }
}

/// Follows the directory's view for ever.
pub(crate) async fn run(store: Store, routing: Routing) -> Result<Infallible, Failed> {
    routing.doubt();
    tokio::select! {
        followed = follow(store, &routing) => followed,
        never = keep(&routing) => match never {},
    }
}

/// Writes the table down whenever it has changed, beside everything else.
async fn keep(routing: &Routing) -> Infallible {
    let mut tables = routing.inner.tables.subscribe();
    loop {
        tables.borrow_and_update();
        let routing = routing.clone();
        // A panic there is on the log, and the next change is another try.
        let _ = tokio::task::spawn_blocking(move || routing.save()).await;
        tokio::time::sleep(WRITE_PAUSE).await;
        if tables.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Table after table, as the view changes.
async fn follow(store: Store, routing: &Routing) -> Result<Infallible, Failed> {
    let directory = store.directory().clone();
    routing.inner.last_known.lock().belongs_to(store.cluster());
    routing.inner.desk.follow(directory.clone());
    let mut looked = routing.inner.looked.subscribe();
    let mut told = routing.inner.desk.subscribe();
    let mut troubles = Troubles::default();
    let mut view = directory.view();
    loop {
        told.borrow_and_update();
        looked.borrow_and_update();
        routing.take_in(&view);
        troubles.log(&store, &routing.current().table, &routing.ports(), &routing.ejected());
        tokio::select! {
            changed = directory.changed(view.revision()) => match changed {
                Ok(changed) => view = changed,
                Err(failed) => {
                    routing.inner.desk.lose();
                    return Err(failed);
                }
            },
            // Both senders live in the routing.
            _ = told.changed() => {}
            _ = looked.changed() => {}
        }
    }
}
