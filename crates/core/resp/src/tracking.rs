//! Who keeps copies of which keys, and is told when one of them changes: CLIENT TRACKING.
//!
//! ```text
//! GET a   by 7 and 9      readers: a -> 7, 9
//! SET a x                 7 and 9 are told "invalidate a"; readers: nothing
//! GET a   by 7            readers: a -> 7
//! ```
//!
//! A client is told once of a key that it has read; one that broadcasts, of every change under its prefixes. As in Redis
//! a key is its name, whichever database it is in.
//!
//! Invariants:
//! - What is told comes of commits, so another face's write is told of as well.
//! - What is remembered has a bound. A key that is given up for room is told of as if it had changed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use adsum_keyspace::{Blob, Change, Commit, Database, Notice, Op};
use adsum_model::Revision;

use crate::client::{Client, ClientId, Clients};
use crate::command::{Command, READ};
use crate::{Protocol, Wake, Writer, limits};

#[derive(Default)]
pub(crate) struct Tracking {
    clients: BTreeMap<ClientId, Tracked>,
    prefixes: BTreeMap<Blob, BTreeSet<ClientId>>,
    /// By key. Clients that have gone since stay until the key changes.
    readers: BTreeMap<Blob, BTreeSet<ClientId>>,
    /// In `readers`: pairs, and bytes of keys.
    pairs: usize,
    bytes: usize,
    /// The key that was given up last; the next one in order goes next.
    given_up: Option<Blob>,
    /// For the client whose request is being run: they come behind its reply.
    pending: Vec<Message>,
    pending_bytes: usize,
    /// Keys that the request which is being run has read, for a client that is not told of its own changes: what it read
    /// behind its own write, in one transaction, it still keeps a copy of.
    read: BTreeSet<Blob>,
}

struct Message {
    to: Arc<Client>,
    revision: Revision,
    bytes: Vec<u8>,
}

/// A client that tracks.
pub(crate) struct Tracked {
    client: Arc<Client>,
    pub(crate) options: Options,
    /// Whether CLIENT CACHING was said for the next request.
    pub(crate) caching: bool,
    /// Whether the client that should be told has gone.
    pub(crate) broken: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    /// Whether the client's own changes are not told.
    pub(crate) no_loop: bool,
    /// Who is told in its place.
    pub(crate) redirect: Option<ClientId>,
}

/// Which keys are tracked.
#[derive(Clone, Debug, Default)]
pub(crate) enum Mode {
    /// All that are read.
    #[default]
    Read,
    /// Those that are read by a request behind CLIENT CACHING YES.
    OptIn,
    /// Those that are read, but for a request behind CLIENT CACHING NO.
    OptOut,
    /// All under these prefixes.
    Broadcast(BTreeSet<Blob>),
}

/// What a client is told.
#[derive(Clone, Copy)]
enum Told<'a> {
    Keys(&'a [&'a Blob]),
    /// All keys may have changed.
    Everything,
}

/// To whom, of whom and when something is told.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) clients: &'a Clients,
    /// Whose request is being run.
    pub(crate) author: Option<ClientId>,
    /// Whose command has changed something: the author's, or that of a client which had waited for the author's change.
    pub(crate) changed_by: Option<ClientId>,
    pub(crate) revision: Revision,
}

impl Tracked {
    fn remembers(&self) -> bool {
        match self.options.mode {
            Mode::Read => true,
            Mode::OptIn => self.caching,
            Mode::OptOut => !self.caching,
            Mode::Broadcast(_) => false,
        }
    }
}

impl Tracking {
    pub(crate) fn of(&self, client: ClientId) -> Option<&Tracked> {
        self.clients.get(&client)
    }

    /// Turned on, or on again with other options.
    pub(crate) fn turn_on(&mut self, client: &Arc<Client>, options: Options) {
        self.take_out(client.id);
        if let Mode::Broadcast(prefixes) = &options.mode {
            for prefix in prefixes {
                self.prefixes.entry(prefix.clone()).or_default().insert(client.id);
            }
        }
        let tracked = Tracked { client: client.clone(), options, caching: false, broken: false };
        self.clients.insert(client.id, tracked);
    }

    pub(crate) fn turn_off(&mut self, client: ClientId) {
        self.take_out(client);
        if self.clients.is_empty() {
            self.forget_all();
        }
    }

    /// A client is no longer told of anything. What it has read stays: it may be about to track with other options.
    fn take_out(&mut self, client: ClientId) {
        let Some(tracked) = self.clients.remove(&client) else { return };
        if let Mode::Broadcast(prefixes) = tracked.options.mode {
            for prefix in prefixes {
                if let Some(clients) = self.prefixes.get_mut(&prefix) {
                    clients.remove(&client);
                    if clients.is_empty() {
                        self.prefixes.remove(&prefix);
                    }
                }
            }
        }
    }

    /// CLIENT CACHING was said by a client that tracks.
    pub(crate) fn cache_next(&mut self, client: ClientId) {
        if let Some(tracked) = self.clients.get_mut(&client) {
            tracked.caching = true;
        }
    }

    /// The request for which CLIENT CACHING was said is over.
    pub(crate) fn end_of_request(&mut self, client: ClientId) {
        if let Some(tracked) = self.clients.get_mut(&client) {
            tracked.caching = false;
        }
    }

    pub(crate) fn clients(&self) -> usize {
        self.clients.len()
    }

    pub(crate) fn keys(&self) -> usize {
        self.readers.len()
    }

    pub(crate) fn pairs(&self) -> usize {
        self.pairs
    }

    pub(crate) fn prefixes(&self) -> usize {
        self.prefixes.len()
    }

    /// The author of the scene has run a command.
    pub(crate) fn note_command(&mut self, command: &Command, args: &[&[u8]], scene: Scene<'_>) {
        let Some(reader) = scene.author.filter(|_| command.flags.has(READ)) else { return };
        let Some(tracked) = self.clients.get(&reader).filter(|tracked| tracked.remembers()) else { return };
        let no_loop = tracked.options.no_loop;
        for key in command.keys_in(args).into_iter().flatten() {
            self.remember(key, reader);
            if no_loop {
                self.read.insert(Blob::from(key));
            }
        }
        while self.pairs > limits::TRACKED || self.bytes > limits::TRACKED_BYTES {
            self.give_one_up(scene);
        }
    }

    fn remember(&mut self, key: &[u8], reader: ClientId) {
        let readers = match self.readers.get_mut(key) {
            Some(readers) => readers,
            None => {
                self.bytes += key.len();
                self.readers.entry(Blob::from(key)).or_default()
            }
        };
        self.pairs += usize::from(readers.insert(reader));
    }

    fn give_one_up(&mut self, scene: Scene<'_>) {
        let after = self.given_up.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let next = self
            .readers
            .range::<Blob, _>((after, Bound::Unbounded))
            .next()
            .or_else(|| self.readers.first_key_value());
        let Some(key) = next.map(|(key, _)| key.clone()) else { return };
        for reader in self.forget(&key) {
            self.tell(reader, Told::Keys(&[&key]), scene);
        }
        self.read.remove(&key);
        self.given_up = Some(key);
    }

    /// Who has read a key, which they are to be told of now.
    fn forget(&mut self, key: &Blob) -> BTreeSet<ClientId> {
        let Some(readers) = self.readers.remove(key) else { return BTreeSet::new() };
        self.bytes -= key.len();
        self.pairs -= readers.len();
        readers
    }

    fn forget_all(&mut self) {
        self.readers.clear();
        self.read.clear();
        (self.pairs, self.bytes) = (0, 0);
    }

    /// Tells of what has changed.
    pub(crate) fn note(&mut self, commit: &Commit, scene: Scene<'_>) {
        if self.clients.is_empty() {
            return;
        }
        let changes = || commit.changes.iter().filter(|change| matches!(change.database, Database::User(_)));
        if changes().any(|change| matches!(change.op, Op::Clear)) {
            self.forget_all();
            let all: Vec<ClientId> = self.clients.keys().copied().collect();
            all.into_iter().for_each(|client| self.tell(client, Told::Everything, scene));
            return;
        }
        for change in changes() {
            for reader in self.forget(&change.key) {
                if !self.is_own(reader, change, scene) {
                    self.tell(reader, Told::Keys(&[&change.key]), scene);
                } else if scene.author == Some(reader) && self.read.contains(&change.key) {
                    self.remember(&change.key, reader);
                }
            }
        }
        self.broadcast(&changes().collect::<Vec<_>>(), scene);
    }

    /// One message for each prefix, however many keys under it have changed. All who share it get the same, but for the
    /// one who has made the changes, who may not want to hear of its own changes.
    fn broadcast(&mut self, changes: &[&Change], scene: Scene<'_>) {
        let mut messages = Vec::new();
        for (prefix, clients) in &self.prefixes {
            let under = || changes.iter().copied().filter(|change| change.key.starts_with(prefix));
            let keys = distinct(under());
            if keys.is_empty() {
                continue;
            }
            if let Some(client) = scene.changed_by.filter(|client| clients.contains(client)) {
                let told = distinct(under().filter(|change| !self.is_own(client, change, scene)));
                messages.push((vec![client], told));
            }
            let others = clients.iter().copied().filter(|client| scene.changed_by != Some(*client));
            messages.push((others.collect(), keys));
        }
        for (clients, keys) in messages.into_iter().filter(|(_, keys)| !keys.is_empty()) {
            clients.into_iter().for_each(|client| self.tell(client, Told::Keys(&keys), scene));
        }
    }

    /// Whether a client has made this change and does not want to hear of it. Time makes keys expire, and no client.
    fn is_own(&self, client: ClientId, change: &Change, scene: Scene<'_>) -> bool {
        scene.changed_by == Some(client)
            && change.notices.first() != Some(&Notice::Expired)
            && self.clients.get(&client).is_some_and(|tracked| tracked.options.no_loop)
    }

    fn tell(&mut self, client: ClientId, told: Told<'_>, scene: Scene<'_>) {
        let Some(tracked) = self.clients.get_mut(&client) else { return };
        let mut bytes = Vec::new();
        let to = match tracked.options.redirect {
            None => {
                write(&tracked.client, false, told, &mut bytes);
                tracked.client.clone()
            }
            Some(redirect) => match scene.clients.by_id.get(&redirect) {
                Some(other) => {
                    write(other, true, told, &mut bytes);
                    other.clone()
                }
                None => {
                    tracked.broken = true;
                    write_broken(&tracked.client, redirect, &mut bytes);
                    tracked.client.clone()
                }
            },
        };
        if !bytes.is_empty() {
            self.send(Message { to, revision: scene.revision, bytes }, scene.author);
        }
    }

    fn send(&mut self, message: Message, author: Option<ClientId>) {
        if author == Some(message.to.id) {
            self.put_off(message);
        } else {
            message.to.outbox.push(message.revision, &message.bytes, Wake::Push);
        }
    }

    /// All that wait are for the same client, whose form for the one that stands for many is that of a client which is
    /// told in another one's place: the only one that a client of RESP2 has.
    fn put_off(&mut self, message: Message) {
        self.pending_bytes += message.bytes.len();
        self.pending.push(message);
        if self.pending.len() > limits::PENDING || self.pending_bytes > limits::PENDING_BYTES {
            let last = self.pending.pop();
            self.pending.clear();
            self.pending.extend(last.map(|Message { to, revision, mut bytes }| {
                bytes.clear();
                write(&to, true, Told::Everything, &mut bytes);
                Message { to, revision, bytes }
            }));
            self.pending_bytes = 0;
        }
    }

    /// The reply has been sent: what comes behind it.
    pub(crate) fn send_pending(&mut self) {
        if !self.read.is_empty() {
            self.read.clear();
        }
        self.pending_bytes = 0;
        for Message { to, revision, bytes } in self.pending.drain(..) {
            to.outbox.push(revision, &bytes, Wake::Push);
        }
    }
}

/// The keys of changes, each once, in order.
fn distinct<'a>(changes: impl Iterator<Item = &'a Change>) -> Vec<&'a Blob> {
    changes.map(|change| &change.key).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Nothing for a client that has no form for it: one that speaks RESP2 and is not subscribed to hear of another one.
fn write(to: &Client, redirected: bool, told: Told<'_>, bytes: &mut Vec<u8>) {
    let mut out = Writer::new(bytes, to.protocol());
    match to.protocol() {
        Protocol::Resp3 => {
            out.push(2);
            out.text("invalidate");
        }
        Protocol::Resp2 if redirected && to.subscriptions() > 0 => {
            out.push(3);
            out.text("message");
            out.text("__redis__:invalidate");
        }
        Protocol::Resp2 => return,
    }
    match told {
        Told::Keys(keys) => {
            out.array(keys.len());
            keys.iter().for_each(|key| out.bulk(key));
        }
        Told::Everything => out.null(),
    }
}

fn write_broken(to: &Client, redirect: ClientId, bytes: &mut Vec<u8>) {
    if to.protocol() == Protocol::Resp3 {
        let mut out = Writer::new(bytes, Protocol::Resp3);
        out.push(2);
        out.text("tracking-redir-broken");
        out.integer(redirect as i64);
    }
}
