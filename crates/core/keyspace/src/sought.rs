//! Where the key is that was looked for last: most changes are of one that has just been read.

use crate::tree::Search;
use crate::{Blob, Change, Database};

/// A short key and what came of looking for it.
pub(crate) struct Sought {
    database: Database,
    key: Blob,
    search: Search,
}

impl Sought {
    pub(crate) fn new(database: Database, key: Blob, search: Search) -> Sought {
        Sought { database, key, search }
    }

    pub(crate) fn of(&self, database: Database, key: &Blob) -> Option<Search> {
        (self.database == database && self.key == *key).then_some(self.search)
    }

    pub(crate) fn of_change(&self, change: &Change) -> Option<Search> {
        self.of(change.database, &change.key)
    }
}
