//! What a writer copies because a reader is open, besides the entry itself, which every way copies once. Counted on
//! types that count their clones, apart from the timed runs.

use std::cell::Cell;
use std::sync::Arc;

use adsum_keyspace::{Blob, Entry, Tree};
use adsum_model::Revision;

use super::Column;
use super::before_images::BeforeImages;
use super::keys::{KeySet, value};
use super::store::{Store, new_entry};

/// Puts since the reader was opened.
const PUTS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// An entry of a leaf, and of a saved image: key and pointer.
const ENTRY: usize = size_of::<(Blob, Arc<Entry>)>();
/// A child in a branch: its lowest key, count, pointer.
const CHILD: usize = ENTRY + size_of::<usize>();

thread_local! {
    static KEYS: Cell<usize> = const { Cell::new(0) };
    static ENTRIES: Cell<usize> = const { Cell::new(0) };
}

pub(crate) fn tree(keys: &KeySet) -> Column {
    let mut tree: Tree<Key, Counted> = Tree::default();
    for key in keys.random() {
        tree.insert(Key(key.clone()), Counted(Arc::new(new_entry(value(0), Revision::ZERO))));
    }
    let copied = |order: &mut dyn Iterator<Item = &Blob>| {
        let reader = tree.clone();
        let before = copied_by_tree();
        for key in order {
            let held = tree.get_mut(key.as_slice()).expect("every key was loaded");
            held.0 = Arc::new(new_entry(value(1), Revision::ZERO));
        }
        drop(reader);
        copied_by_tree() - before
    };
    rows(keys, copied)
}

pub(crate) fn before_images(keys: &KeySet) -> Column {
    let mut store = BeforeImages::<Arc<Entry>>::with_slices_of(1000);
    keys.random().for_each(|key| store.put(key, value(0)));
    let copied = |order: &mut dyn Iterator<Item = &Blob>| {
        let (reader, _) = store.open();
        order.for_each(|key| store.put(key, value(1)));
        let images = store.images(reader);
        store.close(reader);
        images * ENTRY
    };
    rows(keys, copied)
}

fn rows(keys: &KeySet, mut copied: impl FnMut(&mut dyn Iterator<Item = &Blob>) -> usize) -> Column {
    let mut column = Column::new();
    for puts in PUTS.into_iter().filter(|puts| *puts <= keys.len()) {
        let bytes = copied(&mut keys.random().take(puts));
        column.push((format!("copied per put, {puts} at random, reader held"), per_put(bytes, puts)));
    }
    let puts = 100_000.min(keys.len());
    let bytes = copied(&mut keys.sorted.iter().take(puts));
    column.push((format!("copied per put, {puts} in order, reader held"), per_put(bytes, puts)));
    column
}

fn per_put(bytes: usize, puts: usize) -> String {
    format!("{} B ({:.1} MB in all)", bytes / puts, bytes as f64 / 1e6)
}

/// Every clone of a leaf's entry clones key and entry; every other clone of a key is a branch's.
fn copied_by_tree() -> usize {
    let (keys, entries) = (KEYS.get(), ENTRIES.get());
    entries * ENTRY + (keys - entries) * CHILD
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key(Blob);

impl Clone for Key {
    fn clone(&self) -> Key {
        KEYS.set(KEYS.get() + 1);
        Key(self.0.clone())
    }
}

impl std::borrow::Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

struct Counted(Arc<Entry>);

impl Clone for Counted {
    fn clone(&self) -> Counted {
        ENTRIES.set(ENTRIES.get() + 1);
        Counted(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_copies_no_more_than_itself_and_images_no_more_than_the_keys() {
        let keys = KeySet::new(10_000);
        let bytes = |column: Column| -> Vec<usize> {
            column.iter().filter_map(|(_, cell)| cell.split(' ').next()?.parse().ok()).collect()
        };
        let (tree, images) = (bytes(tree(&keys)), bytes(before_images(&keys)));
        assert!(tree[0] > 200 && tree[1] < 80 && tree[2] < 80, "{tree:?}");
        assert_eq!(images, [ENTRY, ENTRY, ENTRY]);
    }
}
