//! The peer without a way to read at a revision: whoever scans holds the lock until the end.

use std::collections::BTreeMap;

use adsum_keyspace::{Blob, Entry};
use adsum_model::Revision;
use parking_lot::Mutex;

use super::store::{Held, Rows, Store, new_entry};

pub(crate) struct OrderedMap<H> {
    keys: BTreeMap<Blob, H>,
    revision: Revision,
}

impl<H> Default for OrderedMap<H> {
    fn default() -> Self {
        OrderedMap { keys: BTreeMap::new(), revision: Revision::ZERO }
    }
}

impl<H: Held> Store for OrderedMap<H> {
    type Reader = ();

    fn put(&mut self, key: &Blob, value: Blob) {
        self.revision = self.revision.next();
        match self.keys.get_mut(key.as_slice()) {
            Some(held) => held.overwrite(value, self.revision),
            None => drop(self.keys.insert(key.clone(), H::new(new_entry(value, self.revision)))),
        }
    }

    fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.keys.get(key).map(H::entry)
    }

    fn open(&mut self) -> ((), Revision) {
        ((), Revision(u64::MAX))
    }

    fn scan(shared: &Mutex<Self>, (): (), rows: &mut Rows) {
        rows.hold(shared, |store, rows| {
            store.keys.iter().for_each(|(key, held)| rows.row(key, held.entry()))
        });
    }
}
