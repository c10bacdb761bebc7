//! Who hears what is published.

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
}

type Subscribers = BTreeMap<ClientId, Arc<Client>>;

/// By channel and by pattern, and the other way round.
#[derive(Default)]
pub(crate) struct Subscriptions {
    channels: BTreeMap<Blob, Subscribers>,
    patterns: BTreeMap<Blob, Subscribers>,
    by_client: HashMap<ClientId, Names>,
}

#[derive(Default)]
struct Names {
    channels: BTreeSet<Blob>,
    patterns: BTreeSet<Blob>,
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
        self.table(to).entry(name.clone()).or_default().insert(client.id, client.clone());
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
        Names::default().count(client);
    }

    /// What a client is subscribed to, in order.
    pub(crate) fn of_client(&self, to: To, client: ClientId) -> Vec<Blob> {
        let Some(names) = self.by_client.get(&client) else { return Vec::new() };
        let names = match to {
            To::Channel => &names.channels,
            To::Pattern => &names.patterns,
        };
        names.iter().cloned().collect()
    }

    /// The channels that somebody is subscribed to, with how many are.
    pub(crate) fn channels(&self) -> impl Iterator<Item = (&Blob, usize)> {
        self.channels.iter().map(|(channel, subscribers)| (channel, subscribers.len()))
    }

    pub(crate) fn subscribers(&self, channel: &[u8]) -> usize {
        self.channels.get(channel).map_or(0, BTreeMap::len)
    }

    pub(crate) fn patterns(&self) -> usize {
        self.patterns.len()
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
        self.subscribers(channel) + patterns.map(|(_, subscribers)| subscribers.len()).sum::<usize>()
    }

    /// Sends a message to everybody who hears it: those of the channel, then those of each pattern.
    pub(crate) fn publish(&self, channel: &[u8], payload: &[u8], revision: Revision) {
        if let Some(subscribers) = self.channels.get(channel) {
            send(subscribers, revision, |out| {
                out.push(3);
                out.text("message");
                out.bulk(channel);
                out.bulk(payload);
            });
        }
        for (pattern, subscribers) in &self.patterns {
            if glob::matches(pattern, channel) {
                send(subscribers, revision, |out| {
                    out.push(4);
                    out.text("pmessage");
                    out.bulk(pattern);
                    out.bulk(channel);
                    out.bulk(payload);
                });
            }
        }
    }

    fn table(&mut self, to: To) -> &mut BTreeMap<Blob, Subscribers> {
        match to {
            To::Channel => &mut self.channels,
            To::Pattern => &mut self.patterns,
        }
    }

    fn remove_subscriber(&mut self, to: To, name: &[u8], client: ClientId) {
        let table = self.table(to);
        if let Some(subscribers) = table.get_mut(name) {
            subscribers.remove(&client);
            if subscribers.is_empty() {
                table.remove(name);
            }
        }
    }
}

impl Names {
    fn of(&mut self, to: To) -> &mut BTreeSet<Blob> {
        match to {
            To::Channel => &mut self.channels,
            To::Pattern => &mut self.patterns,
        }
    }

    fn len(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// Lets everybody see how many there are.
    fn count(&self, client: &Client) {
        client.channels.store(self.channels.len(), Relaxed);
        client.patterns.store(self.patterns.len(), Relaxed);
    }
}

/// The same message for all, written once for each protocol that one of them speaks.
fn send(subscribers: &Subscribers, revision: Revision, write: impl Fn(&mut Writer<'_>)) {
    let mut messages: [Vec<u8>; 2] = [Vec::new(), Vec::new()];
    for client in subscribers.values() {
        let protocol = client.protocol();
        let message = &mut messages[usize::from(protocol == Protocol::Resp3)];
        if message.is_empty() {
            write(&mut Writer::new(message, protocol));
        }
        client.outbox.push(revision, message, Wake::Push);
    }
}
