//! The verbs on keys, each a part of one transaction.

use adsum_keyspace::{Blob, Entry, Transaction, Value};

use super::room::{FRAME, Room};
use crate::kv::{self, Locked, Put};
use crate::{Beside, end};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    Set,
    Cas(u64),
    Lock(String),
    Unlock(String),
    Get,
    GetOrEmpty,
    GetTree,
    CheckIndex(u64),
    CheckSession(String),
    CheckNotExists,
    Delete,
    DeleteCas(u64),
    DeleteTree,
    /// The key is the id of a session, which is ended.
    EndSession,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub verb: Verb,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub flags: u64,
}

/// What an operation has found or made.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub key: Blob,
    /// None for a key that is not there and was asked for all the same.
    pub entry: Option<Entry>,
    pub beside: Beside,
    /// Whether the value was asked for.
    pub with_value: bool,
}

impl Operation {
    pub(super) fn run(&self, tx: &mut Transaction<'_>, room: &mut Room) -> Result<Vec<Found>, String> {
        let key = self.key.as_slice();
        let takes_any = matches!(self.verb, Verb::GetTree | Verb::DeleteTree);
        if key.is_empty() && !takes_any {
            return Err("Must provide key".into());
        }
        let one = match &self.verb {
            Verb::Set | Verb::Cas(_) | Verb::Lock(_) | Verb::Unlock(_) => {
                self.put(tx)?;
                self.one(tx, false)?
            }
            Verb::Get => self.one(tx, true)?,
            Verb::GetOrEmpty => self.one(tx, true).unwrap_or_else(|_| Found::nothing(key)),
            Verb::GetTree => return tree(tx, key, room),
            Verb::CheckIndex(_) | Verb::CheckSession(_) => self.check(tx)?,
            Verb::CheckNotExists if kv::get(tx, key).is_some() => {
                return Err(format!("key {} exists", self.name()));
            }
            Verb::CheckNotExists => return Ok(Vec::new()),
            Verb::Delete | Verb::DeleteCas(_) | Verb::DeleteTree | Verb::EndSession => {
                self.take_out(tx)?;
                return Ok(Vec::new());
            }
        };
        room.take(one.weight())?;
        Ok(vec![one])
    }

    fn put(&self, tx: &mut Transaction<'_>) -> Result<(), String> {
        let name = self.name();
        let put = Put { key: &self.key, value: &self.value, flags: self.flags, deadline: None };
        match &self.verb {
            Verb::Cas(index) if kv::cas(tx, &put, *index) => Ok(()),
            Verb::Cas(_) => Err(format!("failed to set key {name}, index is stale")),
            Verb::Lock(id) => match kv::lock(tx, &put, id).map_err(|error| error.to_string())? {
                Locked::Yes => Ok(()),
                Locked::Held => Err(format!("failed to lock key {name}, lock is already held")),
                Locked::Delayed => Err(format!("failed to lock key {name} due to lock delay")),
            },
            Verb::Unlock(id) if kv::unlock(tx, &put, id).map_err(|error| error.to_string())? => Ok(()),
            Verb::Unlock(_) => {
                Err(format!("failed to unlock key {name}, lock isn't held, or is held by another session"))
            }
            _ => {
                kv::set(tx, &put);
                Ok(())
            }
        }
    }

    fn check(&self, tx: &mut Transaction<'_>) -> Result<Found, String> {
        let found = self.one(tx, false)?;
        let modified = found.entry.as_ref().map_or(0, |entry| entry.modified.0);
        let holder = found.beside.session.as_deref().unwrap_or_default();
        match &self.verb {
            Verb::CheckIndex(index) if modified != *index => Err(format!(
                "failed index check for key {}, current modify index {modified} != {index}",
                self.name()
            )),
            Verb::CheckSession(id) if holder != id => Err(format!(
                "failed session check for key {}, current session {holder:?} != {id:?}",
                self.name()
            )),
            _ => Ok(found),
        }
    }

    fn take_out(&self, tx: &mut Transaction<'_>) -> Result<(), String> {
        match self.verb {
            Verb::DeleteCas(index) if !kv::delete_cas(tx, &self.key, index) => {
                return Err(format!("failed to delete key {}, index is stale", self.name()));
            }
            Verb::DeleteCas(_) => {}
            Verb::DeleteTree => kv::delete_tree(tx, &self.key),
            Verb::EndSession => drop(end::end(tx, &String::from_utf8_lossy(&self.key))),
            _ => kv::delete(tx, &self.key),
        }
        Ok(())
    }

    fn one(&self, tx: &mut Transaction<'_>, with_value: bool) -> Result<Found, String> {
        let found = kv::get(tx, &self.key);
        let Some((entry, beside)) = found else { return Err(format!("key {} doesn't exist", self.name())) };
        if with_value && !matches!(entry.value, Value::String(_)) {
            let kind = entry.value.kind().as_str();
            return Err(format!("key {} holds a {kind}, not a string", self.name()));
        }
        Ok(Found { key: self.key.as_slice().into(), entry: Some(entry), beside, with_value })
    }

    fn name(&self) -> String {
        format!("{:?}", String::from_utf8_lossy(&self.key))
    }
}

/// What a listing shows under a prefix, as far as there is room for it.
fn tree(tx: &mut Transaction<'_>, prefix: &[u8], room: &mut Room) -> Result<Vec<Found>, String> {
    let listed = tx.keys_under(kv::DATABASE, prefix).iter_from(prefix);
    let listed = listed.take_while(|(key, _)| key.starts_with(prefix));
    let strings = listed.filter(|(_, entry)| matches!(entry.value, Value::String(_)));
    let mut keys: Vec<Blob> = Vec::new();
    for (key, entry) in strings {
        room.take(FRAME + key.len() + entry.value.weight())?;
        keys.push(key.clone());
    }
    let found = keys.into_iter().filter_map(|key| {
        let (entry, beside) = kv::get(tx, &key)?;
        Some(Found { key, entry: Some(entry), beside, with_value: true })
    });
    Ok(found.collect())
}

impl Found {
    /// Bytes that it takes, roughly.
    pub(super) fn weight(&self) -> usize {
        let told = self.entry.as_ref().filter(|_| self.with_value);
        FRAME + self.key.len() + told.map_or(0, |entry| entry.value.weight())
    }

    fn nothing(key: &[u8]) -> Found {
        Found { key: key.into(), entry: None, beside: Beside::default(), with_value: true }
    }
}
