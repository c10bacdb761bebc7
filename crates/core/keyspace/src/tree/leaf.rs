//! The entries at the end of a path, and how one of them is found.
//!
//! In order, they are searched only for the place of a new one. Whoever looks for a key compares a byte of its hash with
//! the marks of all entries at once, and then, nearly always, one key. What is read for it is one cache line for the
//! leaf and one for the entry, where a search by halves would read four or five, each after the other: that, and not
//! instructions, is what a lookup among many keys costs.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

/// Entries of a leaf at most. With so many the marks and what else there is of a leaf fill a cache line.
pub(super) const WIDTH: usize = 24;
/// Of a long key only this many bytes from each of its ends make the mark.
const MARKED: usize = 64;

pub(super) struct Leaf<K, V> {
    /// Of each entry; behind them whatever there was.
    marks: [u8; WIDTH],
    entries: Vec<(K, V)>,
}

impl<K, V> Default for Leaf<K, V> {
    fn default() -> Self {
        Leaf { marks: [0; WIDTH], entries: Vec::new() }
    }
}

/// The copy is about to be changed, so it has room for what is added to it.
impl<K: Clone, V: Clone> Clone for Leaf<K, V> {
    fn clone(&self) -> Self {
        let mut entries = Vec::with_capacity(WIDTH);
        entries.extend_from_slice(&self.entries);
        Leaf { marks: self.marks, entries }
    }
}

impl<K, V> Leaf<K, V> {
    pub(super) fn entries(&self) -> &[(K, V)] {
        &self.entries
    }

    pub(super) fn value_mut(&mut self, at: usize) -> &mut V {
        &mut self.entries[at].1
    }

    /// Where `key` is.
    #[inline]
    pub(super) fn find<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        let is_at = |at: &usize| self.entries.get(*at).is_some_and(|(here, _)| here.borrow() == key);
        self.likely_places(mark(key)).find(is_at)
    }

    /// Where entries with this mark are, among places that have none any more.
    #[inline]
    pub(super) fn likely_places(&self, mark: u8) -> impl Iterator<Item = usize> {
        let (words, _) = self.marks.as_chunks();
        words.iter().enumerate().flat_map(move |(nth, word)| {
            let equal = equal_bytes(u64::from_le_bytes(*word), mark);
            let rest = |equal: &u64| Some(equal & (equal - 1)).filter(|rest| *rest != 0);
            let all = std::iter::successors(Some(equal).filter(|equal| *equal != 0), rest);
            all.map(move |equal| nth * 8 + equal.trailing_zeros() as usize / 8)
        })
    }

    /// How many keys come before what `before` says no to.
    pub(super) fn count_while(&self, before: impl Fn(&K) -> bool) -> usize {
        self.entries.partition_point(|(key, _)| before(key))
    }

    pub(super) fn remove(&mut self, at: usize) -> V {
        self.take(at).1
    }

    pub(super) fn take(&mut self, at: usize) -> (K, V) {
        self.marks.copy_within(at + 1.., at);
        self.entries.remove(at)
    }

    /// All entries of the leaf behind this one, which there has to be room for.
    pub(super) fn append(&mut self, right: Leaf<K, V>) {
        let (here, more) = (self.entries.len(), right.entries.len());
        self.marks[here..here + more].copy_from_slice(&right.marks[..more]);
        self.entries.extend(right.entries);
    }
}

impl<K: Hash, V> Leaf<K, V> {
    /// Puts an entry at `at`. A full leaf is split and its right half given back. At the end, as ascending keys come,
    /// nothing moves over, and at the start, as descending ones do, everything, so that a leaf filled in order stays full.
    pub(super) fn add(&mut self, at: usize, key: K, value: V) -> Option<Leaf<K, V>> {
        if self.entries.len() < WIDTH {
            self.put(at, key, value);
            return None;
        }
        let keep = match at {
            0 => 0,
            WIDTH => WIDTH,
            _ => WIDTH / 2,
        };
        let mut half = Leaf { entries: Vec::with_capacity(WIDTH), ..Leaf::default() };
        half.entries.extend(self.entries.drain(keep..));
        half.marks[..WIDTH - keep].copy_from_slice(&self.marks[keep..]);
        match at.checked_sub(keep) {
            Some(at) if keep > 0 => half.put(at, key, value),
            _ => self.put(at, key, value),
        }
        Some(half)
    }

    /// There has to be room.
    fn put(&mut self, at: usize, key: K, value: V) {
        self.marks.copy_within(at..WIDTH - 1, at + 1);
        self.marks[at] = mark(&key);
        let length = self.entries.len();
        if length == self.entries.capacity() {
            // No more room than there can be entries.
            self.entries.reserve_exact(length.max(4).min(WIDTH - length));
        }
        self.entries.insert(at, (key, value));
    }
}

/// The upper bit of each byte of `word` that is `byte`. Above one that is there may be others: who asks looks.
fn equal_bytes(word: u64, byte: u8) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    let differs = word ^ (ONES * u64::from(byte));
    differs.wrapping_sub(ONES) & !differs & (ONES << 7)
}

pub(super) fn mark<Q: Hash + ?Sized>(key: &Q) -> u8 {
    let mut marker = Marker(0);
    key.hash(&mut marker);
    (marker.0 >> 56) as u8
}

/// A few instructions for a short key. Whoever makes keys with the same mark gets a search of one leaf.
struct Marker(u64);

impl Marker {
    #[inline]
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(29) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for Marker {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        if bytes.len() > 2 * MARKED {
            self.write(&bytes[..MARKED]);
            return self.write(&bytes[bytes.len() - MARKED..]);
        }
        // What is no whole word is the last one of as many bytes, whether some of them were in the one before or not.
        match (bytes.last_chunk(), bytes.first_chunk(), bytes.last_chunk()) {
            (Some(last), ..) => {
                let (words, rest) = bytes.as_chunks();
                words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
                if !rest.is_empty() {
                    self.mix(u64::from_le_bytes(*last));
                }
            }
            (None, Some(first), Some(last)) => {
                self.mix(u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)));
            }
            _ => self.mix(bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))),
        }
    }

    #[inline]
    fn write_u8(&mut self, number: u8) {
        self.mix(number.into());
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Blob, Entry};

    #[test]
    fn a_leaf_fills_a_cache_line_with_the_counters_before_it() {
        assert_eq!(size_of::<super::super::Node<Blob, std::sync::Arc<Entry>>>(), 64 - 2 * size_of::<usize>());
    }

    #[test]
    fn the_first_of_the_equal_bytes_is_found_in_each_place() {
        for at in 0..8 {
            let mut bytes = [7; 8];
            bytes[at] = 9;
            let equal = equal_bytes(u64::from_le_bytes(bytes), 9);
            assert_eq!(equal.trailing_zeros() as usize / 8, at);
            assert_eq!(equal_bytes(u64::from_le_bytes(bytes), 8) & 0x80, 0);
        }
        assert_eq!(equal_bytes(u64::MAX, 0), 0);
    }

    #[test]
    fn names_that_are_counted_have_different_marks() {
        let mut seen = [0_u32; 256];
        (0..25_600).for_each(|n| seen[usize::from(mark(&Blob::from(format!("key:{n:012}"))))] += 1);
        assert!(seen.iter().all(|times| (50..200).contains(times)), "{seen:?}");
    }

    #[test]
    fn a_key_has_the_mark_of_what_it_is_found_by() {
        for length in [0, 1, 7, 8, 16, 22, 23, 64, 128, 129, 100_000] {
            let bytes: Vec<u8> = (0..length).map(|n| n as u8).collect();
            assert_eq!(mark(&Blob::from(bytes.as_slice())), mark(bytes.as_slice()), "{length}");
        }
    }
}
