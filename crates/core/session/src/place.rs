//! Where the records stand in the system space, and how they are read and written.

use adsum_keyspace::{Blob, Database, Entry, Notice, Transaction, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What the names of all sessions begin with.
pub const SESSION: &[u8] = b"session/";
/// What the names of all times to live begin with.
pub const TIME: &[u8] = b"session-ttl/";
pub(crate) const BESIDE: &[u8] = b"kv/";
pub(crate) const LOCK: &[u8] = b"session-lock/";
const DELAY: &[u8] = b"lock-delay/";

/// The session that a time to live is of.
pub fn session_of_time(key: &[u8]) -> Option<&str> {
    str::from_utf8(key.strip_prefix(TIME)?).ok()
}

pub(crate) fn session(id: &str) -> Vec<u8> {
    [SESSION, id.as_bytes()].concat()
}

pub(crate) fn time(id: &str) -> Vec<u8> {
    [TIME, id.as_bytes()].concat()
}

pub(crate) fn beside(key: &[u8]) -> Vec<u8> {
    [BESIDE, key].concat()
}

pub(crate) fn delay(key: &[u8]) -> Vec<u8> {
    [DELAY, key].concat()
}

/// What the names of all locks of a session begin with.
pub(crate) fn locks(id: &str) -> Vec<u8> {
    [LOCK, id.as_bytes(), b"/"].concat()
}

pub(crate) fn lock(id: &str, key: &[u8]) -> Vec<u8> {
    [&locks(id), key].concat()
}

/// The session and the key that a lock is of.
pub(crate) fn lock_of(name: &[u8]) -> Option<(&str, &[u8])> {
    let rest = name.strip_prefix(LOCK)?;
    let slash = rest.iter().position(|byte| *byte == b'/')?;
    Some((str::from_utf8(&rest[..slash]).ok()?, &rest[slash + 1..]))
}

/// A record that cannot be read was written by a newer release or is damaged; either way it must not pass for absent.
pub(crate) fn decode<T: DeserializeOwned>(entry: &Entry) -> T {
    adsum_catalog::records::decode(entry)
}

pub(crate) fn read<T: DeserializeOwned>(tx: &mut Transaction<'_>, place: &[u8]) -> Option<T> {
    tx.get(Database::System, place).map(decode)
}

pub(crate) fn write<T: Serialize>(tx: &mut Transaction<'_>, place: Vec<u8>, record: &T) {
    let json = serde_json::to_vec(record).expect("a record has a JSON form");
    tx.put(Database::System, place, Value::String(Blob::from(json)), None, &[Notice::Set]);
}

pub(crate) fn remove(tx: &mut Transaction<'_>, place: &[u8]) {
    tx.delete(Database::System, place, Notice::Del);
}
