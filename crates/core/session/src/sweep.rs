//! Records of keys that Redis clients have deleted: they count for nothing, and are to take no room for ever.

use adsum_keyspace::{Blob, Database, Keys, Transaction};

use crate::kv::DATABASE;
use crate::{Beside, place};

/// How many records there are that may be left over.
pub fn count(system: &Keys) -> usize {
    // `0` follows `/`.
    let between = |from: &[u8], to: &[u8]| system.rank(to) - system.rank(from);
    between(place::BESIDE, b"kv0") + between(place::LOCK, b"session-lock0")
}

/// Those that are left over, at a moment when nobody is held up by the search.
pub fn left_over(system: &Keys, keys: &Keys) -> Vec<Blob> {
    let under = |prefix: &'static [u8]| {
        system.iter_from(prefix).map(|(name, _)| name).take_while(|name| name.starts_with(prefix))
    };
    let is_left = |name: &Blob, key: &[u8]| {
        let Some(entry) = keys.get(key) else { return true };
        let beside = Beside::listed(key, entry, system);
        match place::lock_of(name) {
            Some((id, _)) => beside.session.as_deref() != Some(id),
            None => beside == Beside::default(),
        }
    };
    let besides = under(place::BESIDE).filter(|name| is_left(name, &name[place::BESIDE.len()..]));
    let locks =
        under(place::LOCK).filter(|name| place::lock_of(name).is_some_and(|(_, key)| is_left(name, key)));
    besides.chain(locks).cloned().collect()
}

/// Takes one out, unless it counts for something by now.
pub fn take_out(tx: &mut Transaction<'_>, name: &Blob) {
    let counts = match place::lock_of(name) {
        Some((id, key)) => {
            let beside = Beside::read(tx, key);
            beside.session.as_deref() == Some(id)
        }
        None => name.strip_prefix(place::BESIDE).is_none_or(|key| {
            let is_there = tx.get(DATABASE, key).is_some();
            is_there && Beside::read(tx, key) != Beside::default()
        }),
    };
    if !counts {
        tx.delete(Database::System, name, adsum_keyspace::Notice::Del);
    }
}
