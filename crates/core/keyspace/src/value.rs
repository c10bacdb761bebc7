//! What a key can hold.

use crate::spares::Spare;
use crate::{Blob, Deadline, Hash, List, Set, SortedSet, Stream};
use adsum_model::Revision;

/// A typed value. Further types are further variants, each an aggregate on [`crate::Tree`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    String(Blob),
    List(List),
    Hash(Hash),
    Set(Set),
    SortedSet(Box<SortedSet>),
    Stream(Box<Stream>),
}

/// The name of a type, as `TYPE` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    String,
    List,
    Hash,
    Set,
    SortedSet,
    Stream,
}

/// A key's value with what the keyspace knows of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    pub value: Value,
    /// Of the transaction that made the key. The fence of a lock.
    pub created: Revision,
    /// Of the last transaction that changed the value.
    pub modified: Revision,
    pub deadline: Option<Deadline>,
}

impl Entry {
    pub(crate) fn new(value: Value, revision: Revision) -> Entry {
        Entry { value, created: revision, modified: revision, deadline: None }
    }
}

impl Spare for Entry {
    fn empty(&mut self) {
        self.value = Value::default();
    }
}

/// An empty string.
impl Default for Value {
    fn default() -> Value {
        Value::String("".into())
    }
}

impl Value {
    pub fn kind(&self) -> Kind {
        match self {
            Value::String(_) => Kind::String,
            Value::List(_) => Kind::List,
            Value::Hash(_) => Kind::Hash,
            Value::Set(_) => Kind::Set,
            Value::SortedSet(_) => Kind::SortedSet,
            Value::Stream(_) => Kind::Stream,
        }
    }

    /// Bytes that it takes in a commit and in memory, roughly.
    pub fn weight(&self) -> usize {
        match self {
            Value::String(bytes) => bytes.len(),
            Value::List(list) => list.weight(),
            Value::Hash(hash) => hash.weight(),
            Value::Set(set) => set.weight(),
            Value::SortedSet(set) => set.weight(),
            Value::Stream(stream) => stream.weight(),
        }
    }

    /// Whether it is an aggregate without elements, which a key must not hold. A stream may be without entries.
    pub fn is_empty_aggregate(&self) -> bool {
        match self {
            Value::String(_) | Value::Stream(_) => false,
            Value::List(list) => list.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
            Value::Set(set) => set.is_empty(),
            Value::SortedSet(set) => set.is_empty(),
        }
    }
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Hash => "hash",
            Kind::Set => "set",
            Kind::SortedSet => "zset",
            Kind::Stream => "stream",
        }
    }
}
