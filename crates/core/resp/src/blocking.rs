//! Clients that wait for a list, a sorted set or a stream to get an element, or for a lock to become free.
//!
//! Each key has a queue for either, in order of arrival. A commit that gives elements to a key, or takes one away,
//! makes it **ready**; the server then serves the first of its queue, each by a transaction of its own, until the
//! queue ends or there is nothing left for it. What that commits may make further keys ready.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use adsum_keyspace::{Blob, Commit, Database, Deadline, Edits, Kind, Notice, Op, Value};
use smallvec::{SmallVec, smallvec};

use crate::Writer;
use crate::client::{Client, ClientId};
use crate::command::{Wait, Work};
use crate::commands::lists::{self, End};
use crate::commands::sorted_pops::{self, Extreme};
use crate::commands::stream_reads::Reading;
use crate::refusal::Refusal;

/// What is done with the first key that is ready.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// BLPOP, BRPOP: the key and one element.
    Pop { end: End },
    /// BLMPOP: the key and up to `count` elements.
    PopMany { end: End, count: usize },
    /// BZPOPMIN, BZPOPMAX: the key, the member, the score.
    PopScored { extreme: Extreme },
    /// BZMPOP: the key and up to `count` members with their scores.
    PopManyScored { extreme: Extreme, count: usize },
    /// XREAD, XREADGROUP: entries.
    Read(Arc<Reading>),
    /// BLMOVE: the element, which is now in another list.
    Move { to: Blob, from: End, into: End },
    /// DEBUG SLEEP: nothing but the end of its time.
    Sleep,
    /// LOCK: the fence, with the name of the lock before it when it is one of several. `ttl` in milliseconds.
    Grant { owner: Blob, ttl: u64, named: bool },
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ready {
    /// A key of this type got elements.
    Given(Kind),
    /// A key has gone.
    Free,
}

/// A client that waits.
pub(crate) struct Waiter {
    pub(crate) client: Arc<Client>,
    pub(crate) action: Action,
    /// Whether it wants no reply.
    pub(crate) silent: bool,
    ready: Ready,
    database: Database,
    keys: SmallVec<[Blob; 1]>,
    ticket: u64,
}

type Place = (Ready, Database, Blob);

#[derive(Default)]
pub(crate) struct Waiters {
    queues: BTreeMap<Place, BTreeMap<u64, ClientId>>,
    waiters: HashMap<ClientId, Waiter>,
    ready: VecDeque<Place>,
    tickets: u64,
}

impl Action {
    /// Does it to `key` if that is ready. Whether it was done.
    pub(crate) fn run(&self, work: &mut Work<'_, '_>, key: &[u8]) -> Result<bool, Refusal> {
        match self {
            Action::Grant { owner, ttl, named } => Ok(grant(work, key, owner, (*ttl, *named))),
            Action::PopScored { extreme } => sorted_pops::give_one(work, key, *extreme),
            Action::PopManyScored { extreme, count } => sorted_pops::give_many(work, key, *extreme, *count),
            Action::Read(reading) => reading.run_one(work, key),
            Action::Sleep => Ok(false),
            Action::Pop { .. } | Action::PopMany { .. } | Action::Move { .. } => self.take(work, key),
        }
    }

    fn take(&self, work: &mut Work<'_, '_>, key: &[u8]) -> Result<bool, Refusal> {
        let Work { tx, db, out, .. } = work;
        let Some(length) = lists::read(tx, *db, key)?.map(|list| list.len()) else { return Ok(false) };
        match self {
            Action::Pop { end } => {
                out.array(2);
                out.bulk(key);
                lists::pop(tx, *db, key, *end, 1, |element| out.bulk(element));
            }
            Action::PopMany { end, count } => {
                out.array(2);
                out.bulk(key);
                out.array(length.min(*count));
                lists::pop(tx, *db, key, *end, *count, |element| out.bulk(element));
            }
            Action::Move { to, from, into } => {
                let element = lists::move_one(tx, *db, (key, *from), (to, *into))?;
                out.bulk_or_null(element.as_deref());
            }
            Action::PopScored { .. }
            | Action::PopManyScored { .. }
            | Action::Read(_)
            | Action::Sleep
            | Action::Grant { .. } => {}
        }
        Ok(true)
    }

    /// What a client gets whose time is over.
    pub(crate) fn give_up(&self, out: &mut Writer<'_>) {
        match self {
            Action::Grant { .. } => out.null(),
            Action::Sleep => out.ok(),
            _ => out.null_array(),
        }
    }

    /// What a client gets that must not wait.
    pub(crate) fn refuse_to_wait(&self, out: &mut Writer<'_>) {
        match self {
            Action::Move { .. } | Action::Grant { .. } => out.null(),
            _ => out.null_array(),
        }
    }
}

/// Gives a free lock to whoever asks. Its fence is the revision at which the key is made.
fn grant(work: &mut Work<'_, '_>, key: &[u8], owner: &Blob, (ttl, named): (u64, bool)) -> bool {
    if work.tx.get(work.db, key).is_some() {
        return false;
    }
    let deadline = Deadline::after(ttl, work.tx.now());
    let value = Value::String(owner.clone());
    work.tx.put(work.db, key, value, Some(deadline), &[Notice::Set, Notice::Expire]);
    work.grants.add((work.db, key.into()), work.client);
    if named {
        work.out.array(2);
        work.out.bulk(key);
    }
    work.reply_revision();
    true
}

impl Waiters {
    pub(crate) fn add(&mut self, client: Arc<Client>, silent: bool, database: Database, wait: Wait) {
        self.tickets += 1;
        let (ticket, ready) = (self.tickets, wait.ready);
        for key in &wait.keys {
            let queue = self.queues.entry((ready, database, key.clone())).or_default();
            queue.insert(ticket, client.id);
        }
        client.blocked.store(true, Relaxed);
        let Wait { keys, action, .. } = wait;
        self.waiters.insert(client.id, Waiter { client, action, silent, ready, database, keys, ticket });
    }

    /// Takes a client out of all queues. None when it does not wait, or does no longer.
    pub(crate) fn remove(&mut self, client: ClientId) -> Option<Waiter> {
        let waiter = self.waiters.remove(&client)?;
        waiter.client.blocked.store(false, Relaxed);
        for key in &waiter.keys {
            let place = (waiter.ready, waiter.database, key.clone());
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

    /// Notes the keys that have become ready and that somebody waits for.
    pub(crate) fn note(&mut self, commit: &Commit) {
        if self.queues.is_empty() {
            return;
        }
        for change in &commit.changes {
            // What may no longer be a stream concerns those who wait as members of a group.
            const STREAM: Ready = Ready::Given(Kind::Stream);
            let ready: SmallVec<[Ready; 2]> = match &change.op {
                Op::Splice { insert, .. } if !insert.is_empty() => smallvec![Ready::Given(Kind::List)],
                Op::Edit(Edits::SortedSet(_)) => smallvec![Ready::Given(Kind::SortedSet)],
                Op::Edit(Edits::Stream(_)) => smallvec![STREAM],
                Op::Put { value, .. } if value.kind() != Kind::Stream => {
                    smallvec![Ready::Given(value.kind()), STREAM]
                }
                Op::Put { .. } => smallvec![STREAM],
                Op::Delete => smallvec![Ready::Free, STREAM],
                Op::Clear => {
                    self.note_cleared(Ready::Free, change.database);
                    self.note_cleared(STREAM, change.database);
                    continue;
                }
                Op::SetDeadline(_) | Op::Append(_) | Op::Splice { .. } | Op::Edit(_) => continue,
            };
            for ready in ready {
                let place = (ready, change.database, change.key.clone());
                if self.queues.contains_key(&place) {
                    self.ready.push_back(place);
                }
            }
        }
    }

    fn note_cleared(&mut self, ready: Ready, database: Database) {
        let from = (ready, database, Blob::from(""));
        let concerned = self.queues.range(from..).map(|(place, _)| place);
        let concerned = concerned.take_while(|(of, in_database, _)| *of == ready && *in_database == database);
        self.ready.extend(concerned.cloned());
    }

    /// A key that has become ready.
    pub(crate) fn next_ready(&mut self) -> Option<Place> {
        self.ready.pop_front()
    }

    /// All who wait for this key, the longest waiting first, with what they wait to do.
    pub(crate) fn all(&self, place: &Place) -> Vec<(Arc<Client>, Action, bool)> {
        let clients = self.queues.get(place).into_iter().flat_map(BTreeMap::values);
        let waiters = clients.filter_map(|client| self.waiters.get(client));
        waiters.map(|waiter| (waiter.client.clone(), waiter.action.clone(), waiter.silent)).collect()
    }

    /// Who has waited longest for this key.
    pub(crate) fn first(&self, place: &Place) -> Option<&Waiter> {
        let (_, client) = self.queues.get(place)?.first_key_value()?;
        self.waiters.get(client)
    }
}
