//! A list: elements by position.
//!
//! The elements stand in a tree under positions that leave room between each other, so that an element can be put
//! anywhere without moving the others:
//!
//! ```text
//! push right a, b        0: a   GAP: b
//! push left  x        -GAP: x     0: a     GAP: b
//! insert y at 2       -GAP: x     0: a   GAP/2: y   GAP: b
//! ```
//!
//! Positions are never seen outside: elements are named by rank, and a list that was read back from its elements may
//! have others. When two neighbours leave no room the list is laid out anew.

use smallvec::SmallVec;

use crate::{Blob, Tree};

const GAP: i64 = 1 << 20;

#[derive(Clone, Default)]
pub struct List {
    elements: Tree<i64, Blob>,
    /// Of all elements together.
    bytes: usize,
}

impl List {
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Bytes that the list takes in a commit and in memory, roughly.
    pub fn weight(&self) -> usize {
        self.bytes + self.len() * 32
    }

    /// The element with this rank, from 0.
    pub fn get(&self, rank: usize) -> Option<&Blob> {
        self.nth(rank).map(|(_, element)| element)
    }

    /// The same with its position. Most that is asked for is at one of the ends, where nothing has to be counted.
    fn nth(&self, rank: usize) -> Option<(i64, &Blob)> {
        let found = match rank {
            0 => self.elements.first(),
            rank if rank + 1 == self.len() => self.elements.last(),
            rank => self.elements.nth(rank),
        };
        found.map(|(position, element)| (*position, element))
    }

    /// All elements from `rank` on.
    pub fn iter_from(&self, rank: usize) -> impl Iterator<Item = &Blob> {
        self.elements.iter_from_rank(rank).map(|(_, element)| element)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Blob> {
        self.iter_from(0)
    }

    /// Takes `remove` elements out at `rank` and puts `insert` in their place. What lies beyond the end is not there
    /// to be removed; a rank beyond the end is the end. Returns what was taken out.
    pub fn splice(&mut self, rank: usize, remove: usize, insert: &[Blob]) -> SmallVec<[Blob; 1]> {
        let rank = rank.min(self.len());
        let mut removed: SmallVec<[Blob; 1]> = SmallVec::new();
        while removed.len() < remove
            && let Some((_, element)) = self.elements.remove_nth(rank)
        {
            removed.push(element);
        }
        for (offset, element) in insert.iter().enumerate() {
            let position = self.room_at(rank + offset);
            self.elements.insert(position, element.clone());
        }
        self.bytes += insert.iter().map(|element| element.len()).sum::<usize>();
        self.bytes -= removed.iter().map(|element| element.len()).sum::<usize>();
        removed
    }

    /// A free position for a new element with this rank.
    fn room_at(&mut self, rank: usize) -> i64 {
        let position = |list: &List, rank: usize| list.nth(rank).map(|(position, _)| position);
        let before = rank.checked_sub(1).and_then(|rank| position(self, rank));
        match (before, position(self, rank)) {
            (None, None) => 0,
            (Some(before), None) => before + GAP,
            (None, Some(after)) => after - GAP,
            (Some(before), Some(after)) if after - before > 1 => before + (after - before) / 2,
            (Some(_), Some(_)) => {
                self.elements = (0..).map(|n| n * GAP).zip(self.iter().cloned()).collect();
                self.room_at(rank)
            }
        }
    }
}

impl FromIterator<Blob> for List {
    fn from_iter<I: IntoIterator<Item = Blob>>(elements: I) -> List {
        let mut bytes = 0;
        let elements = elements.into_iter().inspect(|element| bytes += element.len());
        List { elements: (0..).map(|n| n * GAP).zip(elements).collect(), bytes }
    }
}

impl PartialEq for List {
    fn eq(&self, other: &List) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_list_is_a_vector_under_splices(
            splices in prop::collection::vec((0..40usize, 0..5usize, prop::collection::vec(any::<u8>(), 0..5)), 0..100),
        ) {
            let mut list = List::default();
            let mut vector: Vec<Blob> = Vec::new();
            for (rank, remove, insert) in splices {
                let insert: Vec<Blob> = insert.into_iter().map(|byte| Blob::from(&[byte])).collect();
                let removed = list.splice(rank, remove, &insert);
                let start = rank.min(vector.len());
                let end = (start + remove).min(vector.len());
                let expected: Vec<Blob> = vector.splice(start..end, insert).collect();
                prop_assert_eq!(removed.as_slice(), expected);
                prop_assert!(list.iter().eq(vector.iter()));
                prop_assert_eq!(list.weight(), vector.iter().map(|element| element.len() + 32).sum::<usize>());
            }
        }
    }

    #[test]
    fn a_list_without_room_is_laid_out_anew() {
        let mut list: List = [Blob::from("a"), Blob::from("z")].into_iter().collect();
        for n in 0..100u8 {
            list.splice(1, 0, &[Blob::from(&[n])]);
        }
        assert_eq!(list.len(), 102);
        assert_eq!(list.get(1), Some(&Blob::from(&[99])));
        assert_eq!(list.get(101), Some(&Blob::from("z")));
    }
}
