//! Requests that wait for EXEC, and the keys that must not change before it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use adsum_keyspace::{Blob, Commit, Database, Op, Place, limits};

use crate::client::{Client, ClientId};

/// What a client has queued since MULTI.
#[derive(Default)]
pub(crate) struct Multi {
    requests: Vec<Vec<Blob>>,
    bytes: usize,
    /// Whether a request was refused, so that none is to be run.
    refused: bool,
}

/// What a queued argument takes beside its bytes.
const ARGUMENT: usize = size_of::<Blob>();

impl Multi {
    /// Whether there was room.
    pub(crate) fn push(&mut self, args: &[&[u8]]) -> bool {
        self.bytes += args.iter().map(|arg| arg.len() + ARGUMENT).sum::<usize>();
        let fits = self.bytes <= limits::TRANSACTION;
        if fits {
            self.requests.push(args.iter().map(|arg| Blob::from(*arg)).collect());
        }
        fits
    }

    pub(crate) fn refuse(&mut self) {
        *self = Multi { refused: true, ..Multi::default() };
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.refused
    }

    pub(crate) fn into_requests(self) -> Vec<Vec<Blob>> {
        self.requests
    }
}

/// Who watches which keys. A client whose key is touched is marked, and its next EXEC does nothing.
#[derive(Default)]
pub(crate) struct Watched {
    by_place: BTreeMap<Place, Watchers>,
    by_client: HashMap<ClientId, Vec<Place>>,
}

#[derive(Default)]
struct Watchers {
    clients: Vec<Arc<Client>>,
    /// Whether the key was there when it was last looked at, and so for all who are not marked yet.
    there: bool,
}

impl Watched {
    /// How many keys the client watches.
    pub(crate) fn count(&self, client: ClientId) -> usize {
        self.by_client.get(&client).map_or(0, Vec::len)
    }

    pub(crate) fn add(&mut self, client: &Arc<Client>, place: Place, there: bool) {
        let watchers = self.by_place.entry(place.clone()).or_default();
        watchers.there = there;
        if watchers.clients.iter().all(|other| other.id != client.id) {
            watchers.clients.push(client.clone());
            self.by_client.entry(client.id).or_default().push(place);
        }
    }

    /// The client watches nothing any more. Whether a key that it watched was touched.
    pub(crate) fn remove(&mut self, client: &Client) -> bool {
        for place in self.by_client.remove(&client.id).unwrap_or_default() {
            if let Some(watchers) = self.by_place.get_mut(&place) {
                watchers.clients.retain(|other| other.id != client.id);
                if watchers.clients.is_empty() {
                    self.by_place.remove(&place);
                }
            }
        }
        client.touched.swap(false, Relaxed)
    }

    pub(crate) fn note(&self, commit: &Commit) {
        if self.by_place.is_empty() {
            return;
        }
        for change in &commit.changes {
            match change.op {
                Op::Clear => self.note_cleared(change.database),
                _ => self
                    .by_place
                    .get(&(change.database, change.key.clone()))
                    .iter()
                    .for_each(|all| all.mark()),
            }
        }
    }

    fn note_cleared(&self, database: Database) {
        let touched = self.by_place.iter().filter(|((of, _), watchers)| *of == database && watchers.there);
        touched.for_each(|(_, watchers)| watchers.mark());
    }
}

impl Watchers {
    fn mark(&self) {
        self.clients.iter().for_each(|client| client.touched.store(true, Relaxed));
    }
}
