//! An entry as Consul shows it.

use adsum_keyspace::json::base64;
use adsum_keyspace::{Entry, Value};
use adsum_session::Beside;
use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Shape {
    lock_index: u64,
    key: String,
    flags: u64,
    /// Base64; none when empty.
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    create_index: u64,
    modify_index: u64,
}

impl Shape {
    /// Of a key that holds a string; any other has no value here.
    pub(crate) fn of(key: &[u8], entry: &Entry, beside: Beside) -> Shape {
        let value = match &entry.value {
            Value::String(value) if !value.is_empty() => Some(base64(value)),
            _ => None,
        };
        Shape { value, ..Shape::without_value(key, entry, beside) }
    }

    /// Of a key that is not there.
    pub(crate) fn missing(key: &[u8]) -> Shape {
        let key = String::from_utf8_lossy(key).into_owned();
        Shape { lock_index: 0, key, flags: 0, value: None, session: None, create_index: 0, modify_index: 0 }
    }

    pub(crate) fn without_value(key: &[u8], entry: &Entry, beside: Beside) -> Shape {
        Shape {
            lock_index: beside.lock_index,
            key: String::from_utf8_lossy(key).into_owned(),
            flags: beside.flags,
            value: None,
            session: beside.session,
            create_index: entry.created.0,
            modify_index: entry.modified.0,
        }
    }
}
