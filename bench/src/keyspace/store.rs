//! What is measured: an ordered store with one writer under a lock, and a way to read all of it as of one moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adsum_keyspace::{Blob, Database, Entry, Value, encode_row};
use adsum_model::Revision;
use parking_lot::{Mutex, MutexGuard};

pub(crate) const DATABASE: Database = Database::User(0);

pub(crate) trait Store: Send + Sized {
    /// Holds what a reader needs to read the store as it was.
    type Reader;

    /// One revision per put, from 1.
    fn put(&mut self, key: &Blob, value: Blob);
    fn get(&self, key: &[u8]) -> Option<&Entry>;
    /// What has to happen under the lock before a scan.
    fn open(&mut self) -> (Self::Reader, Revision);
    /// Gives every entry as of the reader's revision to `rows`, in order.
    fn scan(shared: &Mutex<Self>, reader: Self::Reader, rows: &mut Rows);
}

/// How an entry hangs in the store.
pub(crate) trait Held: Clone + Send + Sync {
    fn new(entry: Entry) -> Self;
    fn entry(&self) -> &Entry;
    fn entry_mut(&mut self) -> &mut Entry;

    fn overwrite(&mut self, value: Blob, modified: Revision) {
        let entry = self.entry_mut();
        *entry = Entry { value: Value::String(value), modified, ..*entry };
    }
}

/// As in the product.
impl Held for Arc<Entry> {
    fn new(entry: Entry) -> Self {
        Arc::new(entry)
    }

    fn entry(&self) -> &Entry {
        self
    }

    fn entry_mut(&mut self) -> &mut Entry {
        Arc::make_mut(self)
    }
}

/// In the node itself.
impl Held for Entry {
    fn new(entry: Entry) -> Self {
        entry
    }

    fn entry(&self) -> &Entry {
        self
    }

    fn entry_mut(&mut self) -> &mut Entry {
        self
    }
}

pub(crate) fn new_entry(value: Blob, revision: Revision) -> Entry {
    Entry { value: Value::String(value), created: revision, modified: revision, deadline: None }
}

/// Where a scan ends: rows are encoded as for a snapshot file, chunk by chunk, and forgotten.
pub(crate) struct Rows {
    chunk: Vec<u8>,
    pub(crate) count: usize,
    /// The youngest entry that was seen: it must not be younger than the scan.
    pub(crate) youngest: Revision,
    /// The longest that the reader has held the lock.
    pub(crate) longest_hold: Duration,
}

impl Default for Rows {
    fn default() -> Rows {
        Rows {
            chunk: Vec::with_capacity(2 * Rows::CHUNK),
            count: 0,
            youngest: Revision::ZERO,
            longest_hold: Duration::ZERO,
        }
    }
}

impl Rows {
    const CHUNK: usize = 64 * 1024;

    pub(crate) fn row(&mut self, key: &Blob, entry: &Entry) {
        encode_row(DATABASE, key, entry, &mut self.chunk);
        if self.chunk.len() >= Rows::CHUNK {
            std::hint::black_box(&self.chunk);
            self.chunk.clear();
        }
        self.count += 1;
        self.youngest = self.youngest.max(entry.modified);
    }

    /// Does something under the lock. The wait for the lock does not count, the writer is at work then.
    pub(crate) fn hold<S, T>(&mut self, shared: &Mutex<S>, body: impl FnOnce(&mut S, &mut Rows) -> T) -> T {
        let mut store = shared.lock();
        let begin = Instant::now();
        let result = body(&mut store, self);
        self.longest_hold = self.longest_hold.max(begin.elapsed());
        // Handed over, or a reader that comes back at once would keep the writer out until the lock takes pity.
        MutexGuard::unlock_fair(store);
        result
    }
}
