//! The verbs of Consul's KV store, each a part of one transaction.
//!
//! Locks are advisory: who does not ask for a lock writes and deletes as if there were none. A plain write keeps the
//! session that holds the key, and sets the lock index to 0; a deletion ends the lock.

use adsum_keyspace::{Blob, Database, Deadline, Entry, Notice, Transaction, Value};

use crate::{Beside, place, session};

/// Where the keys are.
pub const DATABASE: Database = Database::User(0);

/// What is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Put<'a> {
    pub key: &'a [u8],
    pub value: &'a [u8],
    pub flags: u64,
    /// When the key ends.
    pub deadline: Option<Deadline>,
}

/// What came of an attempt to lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    Yes,
    /// Another session holds it, or one that is over and whose end is not carried out yet.
    Held,
    /// Its last holder was invalidated a moment ago.
    Delayed,
}

/// Nobody can lock with such a session. In the words of Consul.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSession {
    #[error("missing session")]
    Missing,
    #[error("failed session lookup: index error: UUID must be 36 characters")]
    Malformed,
    #[error("invalid session {0:?}")]
    Invalid(String),
}

/// A key with what stands beside it.
pub fn get(tx: &mut Transaction<'_>, key: &[u8]) -> Option<(Entry, Beside)> {
    let entry = tx.get(DATABASE, key)?.clone();
    Some((entry, Beside::read(tx, key)))
}

/// The keys under a prefix that hold a string.
pub fn keys_under(tx: &mut Transaction<'_>, prefix: &[u8]) -> Vec<Blob> {
    let keys = tx.keys_under(DATABASE, prefix).iter_from(prefix);
    let keys = keys.take_while(|(key, _)| key.starts_with(prefix));
    let strings = keys.filter(|(_, entry)| matches!(entry.value, Value::String(_)));
    strings.map(|(key, _)| key.clone()).collect()
}

pub fn set(tx: &mut Transaction<'_>, put: &Put<'_>) {
    let before = Beside::read(tx, put.key);
    let after = Beside { flags: put.flags, lock_index: 0, session: before.session.clone() };
    write(tx, put, &before, &after);
}

/// Whether the key was at `index`; 0 is for a key that is not there.
pub fn cas(tx: &mut Transaction<'_>, put: &Put<'_>, index: u64) -> bool {
    let fits = modified(tx, put.key).unwrap_or(0) == index;
    if fits {
        set(tx, put);
    }
    fits
}

/// Writes when the session gets the key or has it.
///
/// # Errors
/// When there is no such session, or not any more.
pub fn lock(tx: &mut Transaction<'_>, put: &Put<'_>, id: &str) -> Result<Locked, NoSession> {
    expect_session(tx, id)?;
    let before = Beside::read(tx, put.key);
    let lock_index = match &before.session {
        Some(holder) if holder == id => before.lock_index,
        Some(_) => return Ok(Locked::Held),
        None if is_delayed(tx, put.key) => return Ok(Locked::Delayed),
        None => before.lock_index + 1,
    };
    let after = Beside { flags: put.flags, lock_index, session: Some(id.to_string()) };
    write(tx, put, &before, &after);
    Ok(Locked::Yes)
}

/// Writes and lets go of the key, when the session has it. A session that is over has nothing.
///
/// # Errors
/// When what is given is no session at all.
pub fn unlock(tx: &mut Transaction<'_>, put: &Put<'_>, id: &str) -> Result<bool, NoSession> {
    if id.is_empty() {
        return Err(NoSession::Missing);
    }
    let before = Beside::read(tx, put.key);
    if before.session.as_deref() != Some(id) || session::valid(tx, id).is_none() {
        return Ok(false);
    }
    let after = Beside { flags: put.flags, lock_index: before.lock_index, session: None };
    write(tx, put, &before, &after);
    Ok(true)
}

/// A key that is not there is fine.
pub fn delete(tx: &mut Transaction<'_>, key: &[u8]) {
    let before = Beside::read(tx, key);
    tx.delete(DATABASE, key, Notice::Del);
    keep(tx, key, &before, &Beside::default());
}

/// Whether the key was at `index`, or not there.
pub fn delete_cas(tx: &mut Transaction<'_>, key: &[u8], index: u64) -> bool {
    let fits = modified(tx, key).is_none_or(|modified| modified == index);
    if fits {
        delete(tx, key);
    }
    fits
}

/// Only what a listing shows.
pub fn delete_tree(tx: &mut Transaction<'_>, prefix: &[u8]) {
    for key in keys_under(tx, prefix) {
        delete(tx, &key);
    }
}

fn modified(tx: &mut Transaction<'_>, key: &[u8]) -> Option<u64> {
    tx.get(DATABASE, key).map(|entry| entry.modified.0)
}

fn expect_session(tx: &mut Transaction<'_>, id: &str) -> Result<(), NoSession> {
    match id.len() {
        0 => Err(NoSession::Missing),
        session::ID_LENGTH => {
            session::valid(tx, id).map(drop).ok_or_else(|| NoSession::Invalid(id.to_string()))
        }
        _ => Err(NoSession::Malformed),
    }
}

fn is_delayed(tx: &mut Transaction<'_>, key: &[u8]) -> bool {
    tx.get(Database::System, &place::delay(key)).is_some()
}

fn write(tx: &mut Transaction<'_>, put: &Put<'_>, before: &Beside, after: &Beside) {
    let value = Value::String(Blob::from(put.value));
    let notices: &[Notice] =
        if put.deadline.is_some() { &[Notice::Set, Notice::Expire] } else { &[Notice::Set] };
    tx.put(DATABASE, put.key, value, put.deadline, notices);
    keep(tx, put.key, before, after);
}

/// Puts on record what stands beside a key from now on.
pub(crate) fn keep(tx: &mut Transaction<'_>, key: &[u8], before: &Beside, after: &Beside) {
    if before.session != after.session {
        if let Some(id) = &before.session {
            place::remove(tx, &place::lock(id, key));
        }
        if let Some(id) = &after.session {
            tx.put(Database::System, place::lock(id, key), Value::String("".into()), None, &[Notice::Set]);
        }
    }
    match *after == Beside::default() {
        true => place::remove(tx, &place::beside(key)),
        false => place::write(tx, place::beside(key), after),
    }
}
