//! Who hears what is published.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use adsum_keyspace::Blob;
use adsum_model::Revision;

use crate::client::{Client, ClientId};
use crate::{Protocol, Wake, Writer, glob, limits};

/// What a client can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Channel,
    Pattern,
    /// A channel of SSUBSCRIBE: a name of its own, that no pattern matches.
    Shard,
}

type Subscribers = BTreeMap<ClientId, Arc<Client>>;

/// By channel, pattern and shard channel, and the other way round.
#[derive(Default)]
pub(crate) struct Subscriptions {
    channels: BTreeMap<Blob, Subscribers>,
    patterns: BTreeMap<Blob, Subscribers>,
    shards: BTreeMap<Blob, Subscribers>,
    by_client: HashMap<ClientId, Names>,
    own: RefCell<Own>,
}

/// Of the client whose request is being run: what it sends to itself comes behind its reply, as in Redis 7.2.
#[derive(Default)]
struct Own {
    author: Option<ClientId>,
    to: Option<Arc<Client>>,
    /// One for all messages in a row that have the same revision.
    parts: Vec<(Revision, Vec<u8>)>,
    bytes: usize,
    /// Whether there was too much: the client is closed, and nothing more is gathered.
    over: bool,
}

/// Bytes that a client may send to itself by one request: as many as wait for a client that others send to. Every one
/// of its subscriptions may match what it publishes, so that one request can make far more.
const OWN_BYTES: usize = 2 * limits::PENDING_BYTES;

#[derive(Default)]
struct Names {
    channels: BTreeSet<Blob>,
    patterns: BTreeSet<Blob>,
    shards: BTreeSet<Blob>,
    /// Of all names.
    bytes: usize,
}

impl Subscriptions {
    /// Whether a client may be subscribed to these names too.
    pub(crate) fn has_room(&self, client: ClientId, names: &[&[u8]]) -> bool {
        let (count, bytes) = self.by_client.get(&client).map_or((0, 0), |names| (names.len(), names.bytes));
        let more: usize = names.iter().map(|name| name.len()).sum();
        count + names.len() <= limits::SUBSCRIPTIONS && bytes + more <= limits::SUBSCRIPTION_BYTES
    }

    pub(crate) fn add(&mut self, to: To, name: &Blob, client: &Arc<Client>) {
        let names = self.by_client.entry(client.id).or_default();
        if names.of(to).insert(name.clone()) {
            names.bytes += name.len();
        }
        names.count(client);
        self.table_mut(to).entry(name.clone()).or_default().insert(client.id, client.clone());
    }

    pub(crate) fn remove(&mut self, to: To, name: &[u8], client: &Client) {
        if let Some(names) = self.by_client.get_mut(&client.id) {
            if names.of(to).remove(name) {
                names.bytes -= name.len();
            }
            names.count(client);
            if names.len() == 0 {
                self.by_client.remove(&client.id);
            }
        }
        self.remove_subscriber(to, name, client.id);
    }

    /// Ends all subscriptions of a client.
    pub(crate) fn remove_client(&mut self, client: &Client) {
        let Some(names) = self.by_client.remove(&client.id) else { return };
        names.channels.iter().for_each(|name| self.remove_subscriber(To::Channel, name, client.id));
        names.patterns.iter().for_each(|name| self.remove_subscriber(To::Pattern, name, client.id));
        names.shards.iter().for_each(|name| self.remove_subscriber(To::Shard, name, client.id));
        Names::default().count(client);
    }

    /// What a client is subscribed to, in order.
    pub(crate) fn of_client(&self, to: To, client: ClientId) -> Vec<Blob> {
        let Some(names) = self.by_client.get(&client) else { return Vec::new() };
        let names = match to {
            To::Channel => &names.channels,
            To::Pattern => &names.patterns,
            To::Shard => &names.shards,
        };
        names.iter().cloned().collect()
    }

    /// The names that somebody is subscribed to.
    pub(crate) fn names(&self, to: To) -> impl Iterator<Item = &Blob> {
        self.table(to).keys()
    }

    /// How many are subscribed to exactly this name.
    pub(crate) fn subscribers(&self, to: To, name: &[u8]) -> usize {
        self.table(to).get(name).map_or(0, BTreeMap::len)
    }

    /// How many names somebody is subscribed to.
    pub(crate) fn len(&self, to: To) -> usize {
        self.table(to).len()
    }

    /// Whether a keyspace notification could reach anybody.
    pub(crate) fn may_want_notifications(&self) -> bool {
        const FAMILY: &[u8] = b"__key";
        let from =
            self.channels.range::<[u8], _>((std::ops::Bound::Included(FAMILY), std::ops::Bound::Unbounded));
        !self.patterns.is_empty() || from.take(1).any(|(channel, _)| channel.starts_with(FAMILY))
    }

    /// How many a message would reach, where a client counts once for each of its subscriptions.
    pub(crate) fn audience(&self, channel: &[u8]) -> usize {
        let patterns = self.patterns.iter().filter(|(pattern, _)| glob::matches(pattern, channel));
        self.subscribers(To::Channel, channel)
            + patterns.map(|(_, subscribers)| subscribers.len()).sum::<usize>()
    }

    /// Sends a message to everybody who hears it: those of the channel, then those of each pattern.
    pub(crate) fn publish(&self, channel: &[u8], payload: &[u8], revision: Revision) {
        if let Some(subscribers) = self.channels.get(channel) {
            self.send(subscribers, revision, |out| {
                out.push(3);
                out.text("message");
                out.bulk(channel);
                out.bulk(payload);
            });
        }
        for (pattern, subscribers) in &self.patterns {
            if glob::matches(pattern, channel) {
                self.send(subscribers, revision, |out| {
                    out.push(4);
                    out.text("pmessage");
                    out.bulk(pattern);
                    out.bulk(channel);
                    out.bulk(payload);
                });
            }
        }
    }

    /// Sends a message to everybody who is subscribed to this shard channel.
    pub(crate) fn publish_to_shard(&self, channel: &[u8], payload: &[u8], revision: Revision) {
        if let Some(subscribers) = self.shards.get(channel) {
            self.send(subscribers, revision, |out| {
                out.push(3);
                out.text("smessage");
                out.bulk(channel);
                out.bulk(payload);
            });
        }
    }

    /// A client's request is about to be run.
    pub(crate) fn begin_request(&mut self, author: ClientId) {
        // Of a request that has panicked there may be something left.
        *self.own.get_mut() = Own { author: Some(author), ..Own::default() };
    }

    /// Its reply is on its way: what it has sent to itself follows.
    pub(crate) fn end_request(&mut self) {
        let own = self.own.get_mut();
        own.author = None;
        if own.bytes == 0 {
            return;
        }
        let Own { to: Some(client), parts, .. } = std::mem::take(own) else { return };
        for (revision, messages) in parts {
            client.outbox.push(revision, &messages, Wake::Push);
        }
    }

    /// The same message for all, written once for each protocol that one of them speaks.
    fn send(&self, subscribers: &Subscribers, revision: Revision, write: impl Fn(&mut Writer<'_>)) {
        let mut messages: [Vec<u8>; 2] = [Vec::new(), Vec::new()];
        let mut own = self.own.borrow_mut();
        for client in subscribers.values() {
            let is_own = own.author == Some(client.id);
            if is_own && own.over {
                continue;
            }
            let protocol = client.protocol();
            let message = &mut messages[usize::from(protocol == Protocol::Resp3)];
            if message.is_empty() {
                write(&mut Writer::new(message, protocol));
            }
            if is_own {
                own.gather(client, revision, message);
            } else {
                client.outbox.push(revision, message, Wake::Push);
            }
        }
    }

    fn table(&self, to: To) -> &BTreeMap<Blob, Subscribers> {
        match to {
            To::Channel => &self.channels,
            To::Pattern => &self.patterns,
            To::Shard => &self.shards,
        }
    }

    fn table_mut(&mut self, to: To) -> &mut BTreeMap<Blob, Subscribers> {
        match to {
            To::Channel => &mut self.channels,
            To::Pattern => &mut self.patterns,
            To::Shard => &mut self.shards,
        }
    }

    fn remove_subscriber(&mut self, to: To, name: &[u8], client: ClientId) {
        let table = self.table_mut(to);
        if let Some(subscribers) = table.get_mut(name) {
            subscribers.remove(&client);
            if subscribers.is_empty() {
                table.remove(name);
            }
        }
    }
}

impl Own {
    fn gather(&mut self, client: &Arc<Client>, revision: Revision, message: &[u8]) {
        self.bytes += message.len();
        if self.bytes > OWN_BYTES {
            (self.to, self.parts, self.over) = (None, Vec::new(), true);
            let reason = "it does not take its messages: over the limit of its output buffer";
            return client.outbox.push(revision, &[], Wake::Close(reason));
        }
        self.to.get_or_insert_with(|| client.clone());
        match self.parts.last_mut() {
            Some((last, messages)) if *last == revision => messages.extend_from_slice(message),
            _ => self.parts.push((revision, message.to_vec())),
        }
    }
}

impl Names {
    fn of(&mut self, to: To) -> &mut BTreeSet<Blob> {
        match to {
            To::Channel => &mut self.channels,
            To::Pattern => &mut self.patterns,
            To::Shard => &mut self.shards,
        }
    }

    fn len(&self) -> usize {
        self.channels.len() + self.patterns.len() + self.shards.len()
    }

    /// Lets everybody see how many there are.
    fn count(&self, client: &Client) {
        client.channels.store(self.channels.len(), Relaxed);
        client.patterns.store(self.patterns.len(), Relaxed);
        client.shards.store(self.shards.len(), Relaxed);
    }
}
