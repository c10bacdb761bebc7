//! The controller that tells of broken locks: a lock that another client than its holder has deleted is an entry of the
//! event log, once each, over kills of the agent as far as the history reaches.

use std::convert::Infallible;

use adsum_catalog::records;
use adsum_keyspace::{Commit, Database, Entry, Notice, Place, Transaction, Value};
use adsum_model::{Event, Revision};
use adsum_store::{Failed, PastEvent, Store, Unreadable};

/// Up to which revision it was told, on record.
const TOLD: &[u8] = b"locks/told";

/// Locks of one commit that are told one by one: who deletes very many is to push nothing else out of the event log.
const TOLD_AT_ONCE: usize = 20;

/// Waits for broken locks for ever.
pub(crate) async fn run(store: Store) -> Result<Infallible, Failed> {
    let mut seen = store.commit(told).await?;
    loop {
        let broken = store.broken_locks(seen).await?;
        for of_commit in broken.events.chunk_by(|one, other| one.commit.revision == other.commit.revision) {
            tell(&store, of_commit).await?;
        }
        seen = broken.upto;
        store.lock_broken(seen).await?;
    }
}

/// Tells of all that one commit has broken, unless that has been done.
async fn tell(store: &Store, events: &[PastEvent]) -> Result<(), Failed> {
    let Some(commit) = events.first().map(|event| event.commit.clone()) else { return Ok(()) };
    let before = Revision(commit.revision.0.saturating_sub(1));
    let mut messages = Vec::new();
    for change in events.iter().map(PastEvent::change).take(TOLD_AT_ONCE) {
        let place: Place = (change.database, change.key.clone());
        let held = match store.entry_at(&place, before).await {
            Ok(held) => held,
            Err(Unreadable::Failed(failed)) => return Err(failed),
            Err(Unreadable::Compacted { .. } | Unreadable::Future { .. }) => None,
        };
        messages.push(message(&place, held.as_deref()));
    }
    if let Some(more) = events.len().checked_sub(TOLD_AT_ONCE).filter(|more| *more > 0) {
        messages.push(format!("{more} more locks were deleted by the same transaction"));
    }
    store.commit(|tx| put_on_record(tx, &commit, messages)).await
}

fn put_on_record(tx: &mut Transaction<'_>, commit: &Commit, messages: Vec<String>) {
    if told(tx) >= commit.revision {
        return;
    }
    for message in messages {
        let kind = "lock-broken".to_string();
        records::log(tx, &Event { time: commit.now.wall, kind, service: None, instance: None, message });
    }
    let told = Value::String(commit.revision.to_string().into());
    tx.put(Database::System, TOLD, told, None, &[Notice::Set]);
}

/// `lock '/l' (fence 17, owner 'me') was deleted by another client`.
fn message((database, key): &Place, held: Option<&Entry>) -> String {
    let of = match database {
        Database::User(number @ 1..) => format!(" of database {number}"),
        Database::User(0) | Database::System => String::new(),
    };
    let holder = held.map(|entry| match &entry.value {
        Value::String(owner) => format!(" (fence {}, owner '{}')", entry.created, owner.escape_ascii()),
        _ => format!(" (fence {})", entry.created),
    });
    format!("lock '{}'{of}{} was deleted by another client", key.escape_ascii(), holder.unwrap_or_default())
}

fn told(tx: &mut Transaction<'_>) -> Revision {
    let told = tx.get(Database::System, TOLD).map(|entry| &entry.value);
    let told = match told {
        Some(Value::String(revision)) => str::from_utf8(revision).ok().and_then(|told| told.parse().ok()),
        _ => None,
    };
    Revision(told.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_lock_is_told_with_its_holder_as_far_as_that_is_known() {
        let value = Value::String(b"me\xff".into());
        let held = Entry { value, created: Revision(17), modified: Revision(20), deadline: None };
        let place = (Database::User(3), "/l".into());
        let expect = r"lock '/l' of database 3 (fence 17, owner 'me\xff') was deleted by another client";
        assert_eq!(message(&place, Some(&held)), expect);
        let place = (Database::User(0), "/l".into());
        assert_eq!(message(&place, None), "lock '/l' was deleted by another client");
    }
}
