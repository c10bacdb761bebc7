//! CLIENT PAUSE: until when which requests are held.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adsum_keyspace::Now;
use adsum_model::Revision;

use crate::Wake;
use crate::client::{Client, ClientId};

/// Which requests wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Held {
    Writes,
    All,
}

#[derive(Default)]
pub(crate) struct Pause {
    /// Until this tick.
    until: u64,
    held: Option<Held>,
    waiting: BTreeMap<ClientId, Arc<Client>>,
}

impl Pause {
    /// A pause that is there already becomes no shorter and no weaker.
    pub(crate) fn begin(&mut self, millis: u64, held: Held, now: Now) {
        let before = self.held.filter(|_| now.tick < self.until);
        self.until = now.tick.saturating_add(millis).max(before.map_or(0, |_| self.until));
        self.held = Some(before.map_or(held, |before| before.max(held)));
    }

    /// Everybody who waits goes on.
    pub(crate) fn end(&mut self, revision: Revision) {
        self.held = None;
        for client in std::mem::take(&mut self.waiting).into_values() {
            client.outbox.push(revision, &[], Wake::Unblocked);
        }
    }

    /// Whether anything may be held.
    pub(crate) fn is_on(&self) -> bool {
        self.held.is_some()
    }

    /// For how long a request is held.
    pub(crate) fn rest(&mut self, writes: bool, now: Now) -> Option<Duration> {
        let held = self.held?;
        if now.tick >= self.until {
            self.held = None;
            self.waiting.clear();
            return None;
        }
        (held == Held::All || writes).then(|| Duration::from_millis(self.until - now.tick))
    }

    /// A client waits for the end.
    pub(crate) fn wait(&mut self, client: &Arc<Client>) {
        self.waiting.insert(client.id, client.clone());
    }

    pub(crate) fn forget(&mut self, client: &Client) {
        self.waiting.remove(&client.id);
    }
}
