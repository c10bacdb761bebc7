//! Published ports: opened when the table has them, closed when it has not. One task decides for all workers.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use adsum_model::{Protocol, Revision};
use adsum_routing::Table;
use tokio::sync::{mpsc, watch};

use super::Order;
use crate::control::Control;
use crate::settings::Settings;
use crate::sockets::{Held, given_or_bound};

/// How often a port that could not be opened is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often one is tried that the workers have not quite closed yet, and how long that is an excuse.
const AGAIN: Duration = Duration::from_millis(5);
const CLOSING: Duration = Duration::from_secs(1);

pub(crate) struct Doorman {
    pub(crate) settings: Arc<Settings>,
    pub(crate) control: Arc<dyn Control>,
    pub(crate) workers: Vec<mpsc::UnboundedSender<Order>>,
    pub(crate) held: Arc<Held>,
    /// Sockets of ports that another process had published, until a table of this one's says which are.
    pub(crate) given: BTreeMap<u16, Vec<TcpListener>>,
    pub(crate) open: HashMap<u16, Protocol>,
    /// Why a port could not be opened, as it was told last.
    pub(crate) failed: HashMap<u16, String>,
    /// Ports that the workers were told to close a moment ago.
    pub(crate) closing: HashMap<u16, Instant>,
}

impl Doorman {
    pub(crate) async fn run(mut self, mut tables: watch::Receiver<Arc<Table>>) {
        let mut retry = tokio::time::interval(RETRY);
        loop {
            tokio::select! {
                changed = tables.changed() => if changed.is_err() { return },
                _ = retry.tick(), if !self.failed.is_empty() => {}
                () = tokio::time::sleep(AGAIN), if !self.closing.is_empty() => {}
            }
            let (revision, wanted): (_, HashMap<u16, Protocol>) = {
                let table = tables.borrow_and_update();
                (table.revision, table.ports().collect())
            };
            self.set(&wanted);
            // The first one is that of another run, and may lack some.
            if revision > Revision::ZERO {
                self.given.clear();
            }
        }
    }

    fn set(&mut self, wanted: &HashMap<u16, Protocol>) {
        let now = Instant::now();
        self.closing.retain(|_, since| now.saturating_duration_since(*since) < CLOSING);
        let unwanted: Vec<u16> = self
            .open
            .iter()
            .filter(|(port, had)| wanted.get(port) != Some(had))
            .map(|(port, _)| *port)
            .collect();
        for port in unwanted {
            self.open.remove(&port);
            self.held.close(port);
            self.tell(|| Order::Close { port });
            self.closing.insert(port, now);
        }
        self.failed.retain(|port, _| wanted.contains_key(port));
        for (port, protocol) in wanted {
            if !self.open.contains_key(port) {
                self.open(*port, *protocol);
            }
        }
    }

    fn open(&mut self, port: u16, protocol: Protocol) {
        let addr = SocketAddr::new(self.settings.addr.ip(), port);
        match self.listeners(addr) {
            Ok(listeners) => {
                for (worker, listener) in self.workers.iter().zip(listeners) {
                    let _ = worker.send(Order::Open { port, protocol, listener });
                }
                self.open.insert(port, protocol);
                self.failed.remove(&port);
                self.closing.remove(&port);
                self.control.listening(port, Ok(()));
            }
            // The workers close it right now.
            Err(error) if self.closing.contains_key(&port) => {
                tracing::debug!(%error, port, "the port is not closed yet");
            }
            Err(error) => {
                let reason = format!("cannot listen on {addr}: {error}");
                if self.failed.get(&port) != Some(&reason) {
                    self.control.listening(port, Err(reason.clone()));
                    self.failed.insert(port, reason);
                }
            }
        }
    }

    fn listeners(&mut self, addr: SocketAddr) -> io::Result<Vec<TcpListener>> {
        let given = self.given.remove(&addr.port()).unwrap_or_default();
        let listeners = given_or_bound(given, addr, self.workers.len())?;
        self.held.publish(addr.port(), &listeners)?;
        Ok(listeners)
    }

    fn tell(&self, order: impl Fn() -> Order) {
        for worker in &self.workers {
            let _ = worker.send(order());
        }
    }
}
