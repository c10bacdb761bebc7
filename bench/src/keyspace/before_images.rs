//! The second way, as a prototype: an ordinary map, and for each open reader the first old value of every key that
//! was changed since and that the reader has still to come to. The reader merges both, slice by slice under the lock:
//!
//! ```text
//! reader opened at R, has come to b      writer: put c, put a, delete d, put e (new)
//!
//!   keys    a' b c' e                    images  c: value at R    d: value at R    e: was not there
//!              ^ cursor                          (a has been read: no image)
//!   the rest of the scan: c (image), d (image)
//! ```

use std::collections::BTreeMap;
use std::ops::Bound;

use adsum_keyspace::{Blob, Entry};
use adsum_model::Revision;
use parking_lot::Mutex;

use super::store::{Held, Rows, Store, new_entry};

pub(crate) struct BeforeImages<H> {
    keys: BTreeMap<Blob, H>,
    readers: Vec<Reader<H>>,
    opened: u64,
    /// Entries that a reader takes per hold of the lock.
    slice: usize,
    revision: Revision,
}

struct Reader<H> {
    number: u64,
    /// The last key that it was given.
    cursor: Option<Blob>,
    images: Images<H>,
}

/// None for a key that was not there.
type Images<H> = BTreeMap<Blob, Option<H>>;

impl<H: Held> BeforeImages<H> {
    pub(crate) fn with_slices_of(slice: usize) -> Self {
        BeforeImages {
            keys: BTreeMap::new(),
            readers: Vec::new(),
            opened: 0,
            slice,
            revision: Revision::ZERO,
        }
    }

    /// The next entries of a reader; a reader that has none left is closed.
    fn next_slice(&mut self, number: u64) -> Vec<(Blob, H)> {
        let Some(at) = self.readers.iter().position(|reader| reader.number == number) else {
            return Vec::new();
        };
        let reader = &mut self.readers[at];
        let slice = merge(&self.keys, reader, self.slice);
        match slice.last() {
            Some((key, _)) => reader.cursor = Some(key.clone()),
            None => drop(self.readers.remove(at)),
        }
        slice
    }

    /// How many old values a reader keeps.
    pub(crate) fn images(&self, number: u64) -> usize {
        let mut readers = self.readers.iter();
        readers.find(|reader| reader.number == number).map_or(0, |reader| reader.images.len())
    }

    pub(crate) fn close(&mut self, number: u64) {
        self.readers.retain(|reader| reader.number != number);
    }

    #[cfg(test)]
    fn remove(&mut self, key: &[u8]) {
        self.revision = self.revision.next();
        if let Some((key, held)) = self.keys.remove_entry(key) {
            self.readers.iter_mut().for_each(|reader| reader.save(&key, Some(&held)));
        }
    }
}

/// What follows the cursor: images where there are any, else what stands in the map.
fn merge<H: Held>(keys: &BTreeMap<Blob, H>, reader: &mut Reader<H>, length: usize) -> Vec<(Blob, H)> {
    let from = reader.cursor.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let mut live = keys.range::<Blob, _>((from, Bound::Unbounded)).peekable();
    let mut slice = Vec::with_capacity(length);
    while slice.len() < length {
        let image = reader.images.first_key_value().map(|(key, _)| key);
        match (live.peek().copied(), image) {
            (None, None) => break,
            (Some((key, held)), image) if image.is_none_or(|image| key < image) => {
                slice.push((key.clone(), held.clone()));
                live.next();
            }
            (key, image) => {
                live.next_if(|_| key.map(|(key, _)| key) == image);
                let (key, held) = reader.images.pop_first().expect("an image was seen above");
                slice.extend(held.map(|held| (key, held)));
            }
        }
    }
    slice
}

impl<H: Held> Reader<H> {
    fn save(&mut self, key: &Blob, held: Option<&H>) {
        let passed = self.cursor.as_ref().is_some_and(|cursor| key <= cursor);
        if !passed && !self.images.contains_key(key) {
            self.images.insert(key.clone(), held.cloned());
        }
    }
}

impl<H: Held> Store for BeforeImages<H> {
    type Reader = u64;

    fn put(&mut self, key: &Blob, value: Blob) {
        self.revision = self.revision.next();
        match self.keys.get_mut(key.as_slice()) {
            Some(held) => {
                self.readers.iter_mut().for_each(|reader| reader.save(key, Some(held)));
                held.overwrite(value, self.revision);
            }
            None => {
                self.readers.iter_mut().for_each(|reader| reader.save(key, None));
                self.keys.insert(key.clone(), H::new(new_entry(value, self.revision)));
            }
        }
    }

    fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.keys.get(key).map(H::entry)
    }

    fn open(&mut self) -> (u64, Revision) {
        self.opened += 1;
        self.readers.push(Reader { number: self.opened, cursor: None, images: Images::new() });
        (self.opened, self.revision)
    }

    fn scan(shared: &Mutex<Self>, reader: u64, rows: &mut Rows) {
        loop {
            let slice = rows.hold(shared, |store, _| store.next_slice(reader));
            if slice.is_empty() {
                return;
            }
            slice.iter().for_each(|(key, held)| rows.row(key, held.entry()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adsum_keyspace::Value;

    fn store(keys: &str, slice: usize) -> BeforeImages<Entry> {
        let mut store = BeforeImages::with_slices_of(slice);
        keys.chars().for_each(|key| put(&mut store, key, "old"));
        store
    }

    fn put(store: &mut BeforeImages<Entry>, key: char, value: &str) {
        store.put(&key.to_string().into(), value.into());
    }

    fn read(slice: &[(Blob, Entry)]) -> Vec<String> {
        let value = |entry: &Entry| match &entry.value {
            Value::String(bytes) => bytes.escape_ascii().to_string(),
            other => other.kind().as_str().to_string(),
        };
        slice.iter().map(|(key, entry)| format!("{}:{}", key.escape_ascii(), value(entry))).collect()
    }

    #[test]
    fn a_reader_sees_its_revision_whatever_is_written_meanwhile() {
        let mut store = store("abcd", 2);
        let (reader, _) = store.open();
        assert_eq!(read(&store.next_slice(reader)), ["a:old", "b:old"]);
        put(&mut store, 'c', "new");
        put(&mut store, 'a', "new");
        store.remove(b"d");
        put(&mut store, 'e', "new");
        assert_eq!(store.readers[0].images.len(), 3);
        assert_eq!(read(&store.next_slice(reader)), ["c:old", "d:old"]);
        assert_eq!(read(&store.next_slice(reader)), Vec::<String>::new());
        assert!(store.readers.is_empty());
    }

    #[test]
    fn a_key_written_twice_keeps_its_first_image() {
        let mut store = store("ab", 10);
        let (reader, _) = store.open();
        put(&mut store, 'b', "newer");
        store.remove(b"b");
        put(&mut store, 'b', "newest");
        assert_eq!(read(&store.next_slice(reader)), ["a:old", "b:old"]);
    }
}
