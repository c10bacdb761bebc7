//! Requests that wait for EXEC, and the keys that must not change before it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use adsum_keyspace::{Commit, Database, Op, Place};

use crate::client::{Client, ClientId};
use crate::limits;

/// What a client has queued since MULTI: the arguments of all requests, one behind the other, so that a long queue is
/// let go of at once.
#[derive(Default)]
pub(crate) struct Multi {
    bytes: Vec<u8>,
    /// Where each argument ends.
    arguments: Vec<usize>,
    /// At how many arguments each request ends.
    requests: Vec<usize>,
    /// How many requests were queued when one was refused, so that none is to be run.
    refused: Option<usize>,
}

impl Multi {
    /// Whether there was room.
    pub(crate) fn push(&mut self, args: &[&[u8]]) -> bool {
        for arg in args {
            self.bytes.extend_from_slice(arg);
            self.arguments.push(self.bytes.len());
        }
        self.requests.push(self.arguments.len());
        self.requests.len() <= limits::QUEUED && self.weight() <= limits::QUEUED_BYTES
    }

    fn weight(&self) -> usize {
        self.bytes.len() + (self.arguments.len() + self.requests.len()) * size_of::<usize>()
    }

    pub(crate) fn refuse(&mut self) {
        *self = Multi { refused: Some(self.len()), ..Multi::default() };
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.refused.unwrap_or(self.requests.len())
    }

    /// The requests in order.
    pub(crate) fn requests(&self) -> impl Iterator<Item = Vec<&[u8]>> {
        let start = |ends: &[usize], at: usize| at.checked_sub(1).map_or(0, |before| ends[before]);
        let argument = move |at: usize| &self.bytes[start(&self.arguments, at)..self.arguments[at]];
        (0..self.requests.len())
            .map(move |at| (start(&self.requests, at)..self.requests[at]).map(argument).collect())
    }
}

/// Who watches which keys. A client whose key is touched is marked, and its next EXEC does nothing.
#[derive(Default)]
pub(crate) struct Watched {
    by_place: BTreeMap<Place, Watchers>,
    by_client: HashMap<ClientId, Own>,
}

/// What one client watches.
#[derive(Default)]
struct Own {
    places: Vec<Place>,
    bytes: usize,
}

#[derive(Default)]
struct Watchers {
    clients: Vec<Arc<Client>>,
    /// Whether the key was there when it was last looked at, and so for all who are not marked yet.
    there: bool,
}

impl Watched {
    /// Whether a client may watch these keys too.
    pub(crate) fn has_room(&self, client: ClientId, keys: &[&[u8]]) -> bool {
        let (count, bytes) = self.by_client.get(&client).map_or((0, 0), |own| (own.places.len(), own.bytes));
        let more: usize = keys.iter().map(|key| key.len()).sum();
        count + keys.len() <= limits::WATCHED && bytes + more <= limits::WATCHED_BYTES
    }

    pub(crate) fn add(&mut self, client: &Arc<Client>, place: Place, there: bool) {
        let watchers = self.by_place.entry(place.clone()).or_default();
        watchers.there = there;
        if watchers.clients.iter().all(|other| other.id != client.id) {
            watchers.clients.push(client.clone());
            let own = self.by_client.entry(client.id).or_default();
            own.bytes += place.1.len();
            own.places.push(place);
        }
    }

    /// The client watches nothing any more. Whether a key that it watched was touched.
    pub(crate) fn remove(&mut self, client: &Client) -> bool {
        for place in self.by_client.remove(&client.id).unwrap_or_default().places {
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
            let watchers = || self.by_place.get(&(change.database, change.key.clone()));
            match &change.op {
                Op::Clear => self.note_cleared(change.database),
                // To Redis it is no change of a stream that is there: who watches one would hardly ever commit.
                Op::Edit(edits) if edits.is_of_groups() => {
                    watchers().iter().filter(|all| !all.there).for_each(|all| all.mark());
                }
                _ => watchers().iter().for_each(|all| all.mark()),
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
