//! The first way: the product's copy-on-write tree, of which a scan holds a clone.

use adsum_keyspace::{Blob, Entry, Tree};
use adsum_model::Revision;
use parking_lot::Mutex;

use super::store::{Held, Rows, Store, new_entry};

pub(crate) struct CopyOnWrite<H> {
    keys: Tree<Blob, H>,
    revision: Revision,
}

impl<H> Default for CopyOnWrite<H> {
    fn default() -> Self {
        CopyOnWrite { keys: Tree::default(), revision: Revision::ZERO }
    }
}

impl<H: Held> Store for CopyOnWrite<H> {
    type Reader = Tree<Blob, H>;

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

    fn open(&mut self) -> (Self::Reader, Revision) {
        (self.keys.clone(), self.revision)
    }

    fn scan(_: &Mutex<Self>, reader: Self::Reader, rows: &mut Rows) {
        reader.iter().for_each(|(key, held)| rows.row(key, held.entry()));
    }
}
