//! The whole keyspace, as the product writes to it: transactions, commits, history.

use adsum_keyspace::{Blob, Entry, Keyspace, Notice, Now, Snapshot, Value};
use adsum_model::Revision;
use parking_lot::Mutex;

use super::store::{DATABASE, Rows, Store};

#[derive(Default)]
pub(crate) struct Product(Keyspace);

impl Store for Product {
    type Reader = Snapshot;

    fn put(&mut self, key: &Blob, value: Blob) {
        let outcome = self.0.transact(Now::default(), |transaction| {
            transaction.put(DATABASE, key.clone(), Value::String(value), None, &[Notice::Set]);
        });
        debug_assert!(outcome.is_ok_and(|outcome| outcome.commit.is_some()));
    }

    fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.0.keys(DATABASE).get(key).map(AsRef::as_ref)
    }

    fn open(&mut self) -> (Snapshot, Revision) {
        (self.0.snapshot(Now::default()), self.0.revision())
    }

    fn scan(_: &Mutex<Self>, reader: Snapshot, rows: &mut Rows) {
        reader.keys(DATABASE).iter().for_each(|(key, entry)| rows.row(key, entry));
    }
}
