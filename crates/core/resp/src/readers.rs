//! Watches as streams: `adsum:watch:PREFIX` has an entry for every event of a key under the prefix.
//!
//! Nothing is queued for a reader. It names the last event that it has seen, and gets what the history has after it;
//! one that has fallen behind the history is told so. A reader that waits is woken by the first commit that touches its
//! prefix.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use adsum_keyspace::{Blob, Change, Commit, Compacted, Database, Keyspace, Op, Space, Value, json};
use adsum_model::Revision;

use crate::client::{Client, ClientId};
use crate::{Protocol, Writer, limits};

/// What the names of these streams begin with.
pub(crate) const STREAM: &[u8] = b"adsum:watch:";

/// Of an event: the revision of its commit, and its number in it, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) revision: u64,
    pub(crate) number: u64,
}

/// A prefix with the last event of it that the client has seen.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) name: Blob,
    pub(crate) database: Database,
    pub(crate) after: Id,
    /// There is nothing between `after` and the end of this revision.
    pub(crate) scanned: Revision,
}

/// What one XREAD asks for.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) streams: Vec<Stream>,
    /// Entries per stream at most.
    pub(crate) count: usize,
}

/// A client that waits for an event.
pub(crate) struct Reader {
    pub(crate) client: Arc<Client>,
    pub(crate) reading: Reading,
    /// Whether it wants no reply.
    pub(crate) silent: bool,
}

/// Those who wait for an event.
#[derive(Default)]
pub(crate) struct Readers {
    readers: HashMap<ClientId, Reader>,
    /// By database.
    prefixes: BTreeMap<Database, BTreeMap<Blob, BTreeSet<ClientId>>>,
    /// How many prefixes of each length there are: what to look for in a key.
    lengths: BTreeMap<usize, usize>,
    ready: BTreeSet<ClientId>,
}

struct Event {
    commit: Arc<Commit>,
    at: usize,
}

impl Stream {
    pub(crate) fn prefix(&self) -> &[u8] {
        &self.name[STREAM.len()..]
    }

    /// Whether the same is asked for, however far it is known to be empty.
    fn is_same(&self, other: &Stream) -> bool {
        (&self.name, self.database, self.after) == (&other.name, other.database, other.after)
    }

    fn has(&self, change: &Change) -> bool {
        change.database == self.database
            && (matches!(change.op, Op::Clear) || change.key.starts_with(self.prefix()))
    }

    /// The revision after which there may be something.
    fn from(&self, keyspace: &Keyspace) -> Result<Revision, Compacted> {
        // Of the revision of the last event seen there may be more.
        let from = self.after.revision.saturating_sub(u64::from(self.after.number != u64::MAX));
        let from = Revision(from).max(self.scanned);
        if from > keyspace.revision() {
            // It is of other data: waiting until this keyspace is as far would leave out all until then.
            return Err(Compacted { oldest: keyspace.revision() });
        }
        keyspace.after(Space::User, from).map(|_| from)
    }
}

impl Reading {
    /// Writes what there is to read. Whether there was anything.
    pub(crate) fn write(&self, keyspace: &Keyspace, out: &mut Writer<'_>) -> Result<bool, Compacted> {
        let found = self.read(keyspace)?;
        let count = found.iter().filter(|events| !events.is_empty()).count();
        if count == 0 {
            return Ok(false);
        }
        match out.protocol() {
            Protocol::Resp2 => out.array(count),
            Protocol::Resp3 => out.map(count),
        }
        for (stream, events) in self.streams.iter().zip(found).filter(|(_, events)| !events.is_empty()) {
            if out.protocol() == Protocol::Resp2 {
                out.array(2);
            }
            out.bulk(&stream.name);
            out.array(events.len());
            events.iter().for_each(|event| event.write(out));
        }
        Ok(true)
    }

    /// The events of each stream after the last one seen, bounded in number and, all together, in bytes.
    fn read(&self, keyspace: &Keyspace) -> Result<Vec<Vec<Event>>, Compacted> {
        let froms = self.streams.iter().map(|stream| stream.from(keyspace)).collect::<Result<Vec<_>, _>>()?;
        let mut found: Vec<Vec<Event>> = self.streams.iter().map(|_| Vec::new()).collect();
        let mut bytes = 0;
        let first = froms.into_iter().min().unwrap_or(keyspace.revision());
        for commit in keyspace.after(Space::User, first)? {
            for (at, change) in commit.changes.iter().enumerate() {
                let id = Id { revision: commit.revision.0, number: at as u64 + 1 };
                for (stream, events) in self.streams.iter().zip(&mut found) {
                    if id > stream.after && events.len() < self.count && stream.has(change) {
                        bytes += change.weight();
                        events.push(Event { commit: commit.clone(), at });
                    }
                    if bytes > limits::READING {
                        // Each stream goes on behind its own last event.
                        return Ok(found);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Notes that there is nothing up to this revision.
    pub(crate) fn scanned(&mut self, revision: Revision) {
        self.streams.iter_mut().for_each(|stream| stream.scanned = revision);
    }

    pub(crate) fn is_same(&self, other: &Reading) -> bool {
        self.count == other.count
            && self.streams.len() == other.streams.len()
            && self.streams.iter().zip(&other.streams).all(|(one, other)| one.is_same(other))
    }

    /// Takes over what is known from reading the same before.
    pub(crate) fn go_on_from(&mut self, before: &Reading) {
        for stream in &mut self.streams {
            let same = before.streams.iter().find(|other| stream.is_same(other));
            stream.scanned = same.map_or(Revision::ZERO, |same| same.scanned);
        }
    }
}

impl Event {
    /// `[id, [field, value, ...]]`
    fn write(&self, out: &mut Writer<'_>) {
        let (revision, change) = (self.commit.revision, &self.commit.changes[self.at]);
        let mut fields: Vec<(&str, Vec<u8>)> = Vec::new();
        let names: Vec<&str> = change.notices.iter().map(|notice| notice.as_str()).collect();
        let event = names.first().copied().unwrap_or("flushdb");
        fields.push(("event", event.into()));
        if names.len() > 1 {
            fields.push(("events", names.join(",").into()));
        }
        fields.push(("key", change.key.to_vec()));
        self.value_or_delta(&mut fields);
        fields.push(("revision", revision.to_string().into()));
        out.array(2);
        out.text(&format!("{revision}-{}", self.at + 1));
        out.array(fields.len() * 2);
        for (name, value) in fields {
            out.text(name);
            out.bulk(&value);
        }
    }

    fn value_or_delta(&self, fields: &mut Vec<(&str, Vec<u8>)>) {
        let now = self.commit.now;
        let op = &self.commit.changes[self.at].op;
        match op {
            Op::Put { value, copy_of: Some(of), .. } if value.weight() > limits::EVENT_VALUE => {
                let (Database::User(number), key) = &**of else { return };
                fields.push(("copy_of", key.to_vec()));
                fields.push(("copy_of_db", number.to_string().into()));
            }
            Op::Put { value: Value::String(bytes), .. } => fields.push(("value", bytes.to_vec())),
            Op::Put { value: aggregate, .. } => {
                let elements = json::elements_of(aggregate);
                fields.extend(elements.map(|elements| ("value", elements.to_string().into())));
            }
            Op::Delete | Op::SetDeadline(_) | Op::Append(_) | Op::Splice { .. } | Op::Edit(_) | Op::Clear => {
            }
        }
        if let Some(delta) = json::delta(op) {
            fields.push(("delta", delta.to_string().into()));
        }
        let expires = match op {
            Op::Put { deadline: Some(deadline), .. } | Op::SetDeadline(Some(deadline)) => {
                Some(deadline.unix(now).to_string())
            }
            Op::SetDeadline(None) => Some(String::new()),
            Op::Put { .. } | Op::Delete | Op::Append(_) | Op::Splice { .. } | Op::Edit(_) | Op::Clear => None,
        };
        fields.extend(expires.map(|expires| ("expires", expires.into())));
    }
}

impl Readers {
    pub(crate) fn add(&mut self, reader: Reader) {
        let client = &reader.client;
        client.blocked.store(true, Relaxed);
        for stream in &reader.reading.streams {
            let prefixes = self.prefixes.entry(stream.database).or_default();
            let clients = prefixes.entry(Blob::from(stream.prefix())).or_insert_with(|| {
                *self.lengths.entry(stream.prefix().len()).or_default() += 1;
                BTreeSet::new()
            });
            clients.insert(client.id);
        }
        self.readers.insert(client.id, reader);
    }

    /// None when the client does not wait, or does no longer.
    pub(crate) fn remove(&mut self, client: ClientId) -> Option<Reader> {
        let reader = self.readers.remove(&client)?;
        reader.client.blocked.store(false, Relaxed);
        self.ready.remove(&client);
        for stream in &reader.reading.streams {
            self.remove_from(stream.database, stream.prefix(), client);
        }
        Some(reader)
    }

    fn remove_from(&mut self, database: Database, prefix: &[u8], client: ClientId) {
        let Some(prefixes) = self.prefixes.get_mut(&database) else { return };
        let Some(clients) = prefixes.get_mut(prefix) else { return };
        clients.remove(&client);
        if !clients.is_empty() {
            return;
        }
        prefixes.remove(prefix);
        if let Some(count) = self.lengths.get_mut(&prefix.len()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&prefix.len());
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.readers.len()
    }

    /// Notes whom the commit concerns.
    pub(crate) fn note(&mut self, commit: &Commit) {
        if self.readers.is_empty() {
            return;
        }
        for change in &commit.changes {
            let Some(prefixes) = self.prefixes.get(&change.database) else { continue };
            match change.op {
                Op::Clear => self.ready.extend(prefixes.values().flatten()),
                _ => {
                    let lengths = self.lengths.range(..=change.key.len()).map(|(length, _)| *length);
                    let concerned = lengths.filter_map(|length| prefixes.get(&change.key[..length]));
                    self.ready.extend(concerned.flatten());
                }
            }
        }
    }

    /// Those for whom there is something; they wait no longer.
    pub(crate) fn take_ready(&mut self) -> Vec<Reader> {
        if self.ready.is_empty() {
            return Vec::new();
        }
        let ready = std::mem::take(&mut self.ready);
        ready.into_iter().filter_map(|client| self.remove(client)).collect()
    }
}
