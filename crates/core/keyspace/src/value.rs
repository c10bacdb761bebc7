//! What a key can hold.

use crate::{Blob, Deadline, List};
use adsum_model::Revision;

/// A typed value. Further types are further variants, each an aggregate on [`crate::Tree`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    String(Blob),
    List(List),
}

/// The name of a type, as `TYPE` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    String,
    List,
}

/// A key's value with what the keyspace knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub value: Value,
    /// Of the transaction that made the key. The fence of a lock.
    pub created: Revision,
    /// Of the last transaction that changed the value.
    pub modified: Revision,
    pub deadline: Option<Deadline>,
}

impl Value {
    pub fn kind(&self) -> Kind {
        match self {
            Value::String(_) => Kind::String,
            Value::List(_) => Kind::List,
        }
    }

    /// Bytes that it takes in a commit and in memory, roughly.
    pub fn weight(&self) -> usize {
        match self {
            Value::String(bytes) => bytes.len(),
            Value::List(list) => list.weight(),
        }
    }

    /// Whether it is an aggregate without elements, which a key must not hold.
    pub fn is_empty_aggregate(&self) -> bool {
        match self {
            Value::String(_) => false,
            Value::List(list) => list.is_empty(),
        }
    }
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
        }
    }
}
