//! What is kept of a key beside its value.
//!
//! ```text
//!                          the key                     kv/KEY
//! PUT ?acquire=S ?flags=7  created 5, modified 5       modified 5: flags 7, lock index 1, session S
//! SET by Redis             created 5, modified 6       modified 5: session S alone counts
//! DEL and SET by Redis     created 8, modified 8       modified 5: nothing counts
//! ```

use adsum_keyspace::{Entry, Keys, Transaction};
use serde::{Deserialize, Serialize};

use crate::kv::DATABASE;
use crate::place;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Beside {
    /// Whatever clients mean by it.
    pub flags: u64,
    /// How often the key was locked.
    pub lock_index: u64,
    /// The session that holds it.
    pub session: Option<String>,
}

impl Beside {
    /// What of `record` counts for the key as it is.
    fn of(key: &Entry, record: Option<&Entry>) -> Beside {
        let Some(record) = record.filter(|record| record.modified >= key.created) else {
            return Beside::default();
        };
        let beside: Beside = place::decode(record);
        if record.modified == key.modified {
            return beside;
        }
        Beside { session: beside.session, ..Beside::default() }
    }

    /// Of a key that was found in a listing; `system` is the system space as of the same moment.
    pub fn listed(key: &[u8], entry: &Entry, system: &Keys) -> Beside {
        let record = system.get(place::beside(key).as_slice());
        Beside::of(entry, record.map(|record| &**record))
    }

    /// Of a key; the default one when it is not there.
    pub fn read(tx: &mut Transaction<'_>, key: &[u8]) -> Beside {
        let Some(entry) = tx.get(DATABASE, key).cloned() else { return Beside::default() };
        Beside::of(&entry, tx.get(adsum_keyspace::Database::System, &place::beside(key)))
    }
}
