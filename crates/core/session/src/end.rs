//! The end of a session: what it held is released or deleted, and nobody gets that for a while.
//!
//! The record of the session goes in the commit in which the last of its keys does. Of a session that holds very many
//! keys a piece is done at a time; until the last of it the keys that are left are held by a session that is over.

use std::time::Duration;

use adsum_keyspace::{Blob, Database, Deadline, Notice, Transaction, Value};

use crate::kv::{self, DATABASE};
use crate::session::{Behavior, LONGEST_LOCK_DELAY, Session};
use crate::{Beside, place, session};

/// Keys of one piece.
pub const PIECE: usize = 1000;
/// Bytes of the names of keys of one piece.
const PIECE_BYTES: usize = 1024 * 1024;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub session: Session,
    /// Keys that were released, or deleted.
    pub keys: usize,
    /// Whether there is more: the session is over, and its record still there.
    pub more: bool,
}

/// Ends a session, whether its time has run out or not; nothing when it is not on record.
pub fn end(tx: &mut Transaction<'_>, id: &str) -> Option<Ended> {
    let mut session = session::on_record(tx, id)?;
    let (keys, more) = held(tx, id);
    let released = keys.iter().filter(|key| let_go(tx, &session, key)).count();
    place::remove(tx, &place::time(id));
    if !more {
        place::remove(tx, &place::session(id));
    } else if !session.over {
        session.over = true;
        place::write(tx, place::session(id), &session);
    }
    Some(Ended { session, keys: released, more })
}

/// The keys of the next piece, and whether there are others.
fn held(tx: &mut Transaction<'_>, id: &str) -> (Vec<Blob>, bool) {
    let prefix = place::locks(id);
    let names = tx.keys_under(Database::System, &prefix).iter_from(prefix.as_slice());
    let mut names = names.map(|(name, _)| name).take_while(|name| name.starts_with(&prefix));
    let (mut keys, mut bytes) = (Vec::new(), 0);
    while keys.len() < PIECE && bytes < PIECE_BYTES {
        let Some(name) = names.next() else { return (keys, false) };
        bytes += name.len();
        keys.push(Blob::from(&name[prefix.len()..]));
    }
    (keys, names.next().is_some())
}

/// Whether the session had the key.
fn let_go(tx: &mut Transaction<'_>, session: &Session, key: &[u8]) -> bool {
    place::remove(tx, &place::lock(&session.id, key));
    let before = Beside::read(tx, key);
    if before.session.as_deref() != Some(session.id.as_str()) {
        return false;
    }
    match session.behavior {
        Behavior::Delete => kv::delete(tx, key),
        Behavior::Release => release(tx, key, &before),
    }
    delay(tx, session.lock_delay.min(LONGEST_LOCK_DELAY), key);
    true
}

/// The value stays, with a new index, so that who waits for the key is woken.
fn release(tx: &mut Transaction<'_>, key: &[u8], before: &Beside) {
    let is_string = tx.get(DATABASE, key).is_some_and(|entry| matches!(entry.value, Value::String(_)));
    let mut after = Beside::default();
    if is_string {
        tx.touch(DATABASE, key, Notice::Released);
        after = Beside { session: None, ..before.clone() };
    }
    kv::keep(tx, key, before, &after);
}

fn delay(tx: &mut Transaction<'_>, delay: Duration, key: &[u8]) {
    if !delay.is_zero() {
        let deadline = Some(Deadline::after(delay.as_millis() as u64, tx.now()));
        let notices = [Notice::Set, Notice::Expire];
        tx.put(Database::System, place::delay(key), Value::String("".into()), deadline, &notices);
    }
}
