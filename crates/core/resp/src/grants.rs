//! Who was granted which lock, for as long as the lock lives: only to tell when somebody else deletes it.
//!
//! Those of LOCK alone. A lock made by SET NX is released by DEL, and who has a pool of connections sends it on any.

use std::collections::BTreeMap;

use adsum_keyspace::{Commit, Database, Op, Place};
use adsum_model::Revision;

use crate::client::ClientId;

/// Of the locks that were granted by this process.
#[derive(Default)]
pub(crate) struct Grants {
    held: BTreeMap<Place, Grant>,
    /// Of the transaction that is under way.
    fresh: Vec<(Place, ClientId)>,
}

struct Grant {
    client: ClientId,
    fence: Revision,
}

impl Grants {
    /// A grant that is one when its transaction is committed.
    pub(crate) fn add(&mut self, place: Place, client: ClientId) {
        self.fresh.push((place, client));
    }

    /// Whether `client` would take the lock with this fence away from another one.
    pub(crate) fn breaks(&self, place: &Place, fence: Revision, client: ClientId) -> bool {
        self.held.get(place).is_some_and(|grant| grant.fence == fence && grant.client != client)
    }

    pub(crate) fn note(&mut self, commit: &Commit) {
        if !self.held.is_empty() {
            commit.changes.iter().for_each(|change| match change.op {
                Op::Delete => drop(self.held.remove(&(change.database, change.key.clone()))),
                Op::Clear => self.held.retain(|(database, _), _| *database != change.database),
                Op::Put { .. } | Op::SetDeadline(_) | Op::Append(_) | Op::Splice { .. } | Op::Edit(_) => {}
            });
        }
        if self.fresh.is_empty() {
            return;
        }
        // Whether the last change of each key has left it there.
        let there: BTreeMap<(Database, &[u8]), bool> = commit
            .changes
            .iter()
            .map(|change| ((change.database, change.key.as_slice()), !matches!(change.op, Op::Delete)))
            .collect();
        for (place, client) in self.fresh.drain(..) {
            if there.get(&(place.0, place.1.as_slice())) == Some(&true) {
                self.held.insert(place, Grant { client, fence: commit.revision });
            }
        }
    }

    /// Nothing came of the transaction.
    pub(crate) fn forget_fresh(&mut self) {
        self.fresh.clear();
    }
}
