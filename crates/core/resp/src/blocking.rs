//! Clients that wait for a list to get an element.
//!
//! Each list has its queue, in order of arrival. A commit that gives elements to a list makes it **ready**; the
//! server then serves the first of its queue, each by a transaction of its own, until the queue or the list is empty.
//! What that commits may make further lists ready.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use adsum_keyspace::{Blob, Commit, Database, Op, Transaction, Value};
use smallvec::SmallVec;

use crate::Writer;
use crate::client::{Client, ClientId};
use crate::command::Wait;
use crate::commands::lists::{self, End};
use crate::refusal::Refusal;

/// What is done with the first list that has an element.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// BLPOP, BRPOP: the key and one element.
    Pop { end: End },
    /// BLMPOP: the key and up to `count` elements.
    PopMany { end: End, count: usize },
    /// BLMOVE: the element, which is now in another list.
    Move { to: Blob, from: End, into: End },
}

/// A client that waits.
pub(crate) struct Waiter {
    pub(crate) client: Arc<Client>,
    pub(crate) action: Action,
    database: Database,
    keys: SmallVec<[Blob; 1]>,
    ticket: u64,
}

type Place = (Database, Blob);

#[derive(Default)]
pub(crate) struct Waiters {
    queues: BTreeMap<Place, BTreeMap<u64, ClientId>>,
    waiters: HashMap<ClientId, Waiter>,
    ready: VecDeque<Place>,
    tickets: u64,
}

impl Action {
    /// Does it to `key` if there is a list with an element. Whether it was done.
    pub(crate) fn run(
        &self,
        tx: &mut Transaction<'_>,
        database: Database,
        key: &[u8],
        out: &mut Writer<'_>,
    ) -> Result<bool, Refusal> {
        let Some(length) = lists::read(tx, database, key)?.map(|list| list.len()) else { return Ok(false) };
        match self {
            Action::Pop { end } => {
                out.array(2);
                out.bulk(key);
                lists::pop(tx, database, key, *end, 1, |element| out.bulk(element));
            }
            Action::PopMany { end, count } => {
                out.array(2);
                out.bulk(key);
                out.array(length.min(*count));
                lists::pop(tx, database, key, *end, *count, |element| out.bulk(element));
            }
            Action::Move { to, from, into } => {
                let element = lists::move_one(tx, database, (key, *from), (to, *into))?;
                out.bulk_or_null(element.as_deref());
            }
        }
        Ok(true)
    }
}

impl Waiters {
    pub(crate) fn add(&mut self, client: Arc<Client>, database: Database, wait: Wait) {
        self.tickets += 1;
        let ticket = self.tickets;
        for key in &wait.keys {
            self.queues.entry((database, key.clone())).or_default().insert(ticket, client.id);
        }
        client.blocked.store(true, Relaxed);
        let Wait { keys, action, timeout: _ } = wait;
        self.waiters.insert(client.id, Waiter { client, action, database, keys, ticket });
    }

    /// Takes a client out of all queues. None when it does not wait, or does no longer.
    pub(crate) fn remove(&mut self, client: ClientId) -> Option<Waiter> {
        let waiter = self.waiters.remove(&client)?;
        waiter.client.blocked.store(false, Relaxed);
        for key in &waiter.keys {
            let place = (waiter.database, key.clone());
            if let Some(queue) = self.queues.get_mut(&place) {
                queue.remove(&waiter.ticket);
                if queue.is_empty() {
                    self.queues.remove(&place);
                }
            }
        }
        Some(waiter)
    }

    pub(crate) fn len(&self) -> usize {
        self.waiters.len()
    }

    /// Notes the lists that got elements and that somebody waits for.
    pub(crate) fn note(&mut self, commit: &Commit) {
        if self.queues.is_empty() {
            return;
        }
        for change in &commit.changes {
            let gives = match &change.op {
                Op::Splice { insert, .. } => !insert.is_empty(),
                Op::Put { value: Value::List(_), .. } => true,
                Op::Put { .. } | Op::Delete | Op::SetDeadline(_) | Op::Append(_) | Op::Clear => false,
            };
            let place = (change.database, change.key.clone());
            if gives && self.queues.contains_key(&place) {
                self.ready.push_back(place);
            }
        }
    }

    /// A list that has become ready.
    pub(crate) fn next_ready(&mut self) -> Option<Place> {
        self.ready.pop_front()
    }

    /// Who has waited longest for this list.
    pub(crate) fn first(&self, place: &Place) -> Option<&Waiter> {
        let (_, client) = self.queues.get(place)?.first_key_value()?;
        self.waiters.get(client)
    }
}
