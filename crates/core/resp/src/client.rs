//! A connected client, as everybody but its own connection sees it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU8, AtomicUsize, Ordering::Relaxed};

use adsum_keyspace::Now;
use parking_lot::Mutex;

use crate::{Outbox, Protocol};

pub(crate) type ClientId = u64;

/// Addresses with ports, as CLIENT LIST shows them.
#[derive(Clone, Debug, Default)]
pub struct Ends {
    pub peer: String,
    /// At which the client has reached us; empty when that is not known.
    pub local: String,
}

impl From<String> for Ends {
    fn from(peer: String) -> Ends {
        Ends { peer, local: String::new() }
    }
}

/// Shared by the client's [`crate::Session`] and the registry of clients. All access happens under the lock of the
/// server, but for HELLO while a script has that; the atomics are there because a session may live on any thread.
pub(crate) struct Client {
    pub(crate) id: ClientId,
    pub(crate) peer: String,
    pub(crate) local: String,
    /// That of the server, as HELLO tells it.
    pub(crate) mode: &'static str,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) since: Now,
    pub(crate) database: AtomicU8,
    pub(crate) channels: AtomicUsize,
    pub(crate) patterns: AtomicUsize,
    pub(crate) shards: AtomicUsize,
    pub(crate) blocked: AtomicBool,
    /// Requests since MULTI; less than none outside of it.
    pub(crate) queued: AtomicIsize,
    /// What CLIENT NO-EVICT and NO-TOUCH have been told. Nothing is evicted and no access time is kept: it is only shown.
    pub(crate) no_evict: AtomicBool,
    pub(crate) no_touch: AtomicBool,
    /// Whether a key that it watches has changed.
    pub(crate) touched: AtomicBool,
    pub(crate) names: Mutex<Names>,
    last: Mutex<Last>,
    resp3: AtomicBool,
}

/// What a client says of itself.
#[derive(Clone, Default)]
pub(crate) struct Names {
    pub(crate) name: String,
    pub(crate) library: String,
    pub(crate) library_version: String,
}

#[derive(Clone, Copy)]
pub(crate) struct Last {
    /// In ticks.
    pub(crate) seen: u64,
    pub(crate) command: &'static str,
}

/// Everybody who is connected.
#[derive(Default)]
pub(crate) struct Clients {
    pub(crate) by_id: BTreeMap<ClientId, Arc<Client>>,
    last_id: ClientId,
}

impl Client {
    pub(crate) fn touch(&self, command: &'static str, now: Now) {
        *self.last.lock() = Last { seen: now.tick, command };
    }

    pub(crate) fn last(&self) -> Last {
        *self.last.lock()
    }

    pub(crate) fn protocol(&self) -> Protocol {
        if self.resp3.load(Relaxed) { Protocol::Resp3 } else { Protocol::Resp2 }
    }

    pub(crate) fn set_protocol(&self, protocol: Protocol) {
        self.resp3.store(protocol == Protocol::Resp3, Relaxed);
    }

    pub(crate) fn subscriptions(&self) -> usize {
        self.channels.load(Relaxed) + self.patterns.load(Relaxed) + self.shards.load(Relaxed)
    }
}

impl Clients {
    pub(crate) fn add(
        &mut self,
        outbox: Arc<dyn Outbox>,
        ends: Ends,
        mode: &'static str,
        now: Now,
    ) -> Arc<Client> {
        let Ends { peer, local } = ends;
        self.last_id += 1;
        let client = Arc::new(Client {
            id: self.last_id,
            peer,
            local,
            mode,
            outbox,
            since: now,
            database: AtomicU8::new(0),
            channels: AtomicUsize::new(0),
            patterns: AtomicUsize::new(0),
            shards: AtomicUsize::new(0),
            blocked: AtomicBool::new(false),
            queued: AtomicIsize::new(-1),
            no_evict: AtomicBool::new(false),
            no_touch: AtomicBool::new(false),
            touched: AtomicBool::new(false),
            names: Mutex::default(),
            last: Mutex::new(Last { seen: now.tick, command: "NULL" }),
            resp3: AtomicBool::new(false),
        });
        self.by_id.insert(client.id, client.clone());
        client
    }

    /// How many have connected so far.
    pub(crate) fn ever(&self) -> u64 {
        self.last_id
    }
}
