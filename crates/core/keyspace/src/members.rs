//! Elements by name: the fields of a hash, the members of a set, the scores of a sorted set.
//!
//! What a name stands for is its [`Payload`]: the value of a field, a score, or nothing. The names stand in order, so
//! that a scan that goes on behind a name sees every element that is there all the time exactly once.
//!
//! An edit says what one name stands for from now on, or that it goes. What it has taken away is an edit again, so that
//! edits are taken back by edits.

use smallvec::SmallVec;

use crate::{Blob, Tree};

/// What a name stands for.
pub trait Payload: Clone + PartialEq {
    /// Bytes beside those that every element takes.
    fn weight(&self) -> usize;
}

/// The fields of a hash.
pub type Hash = Members<Blob>;
/// The members of a set.
pub type Set = Members<()>;

/// What a name stands for from now on; None takes it out.
pub type Edit<V> = (Blob, Option<V>);
/// Mostly there is one, which then needs no room of its own.
pub type EditList<V> = SmallVec<[Edit<V>; 1]>;

#[derive(Clone, Debug, PartialEq)]
pub struct Members<V> {
    elements: Tree<Blob, V>,
    /// Of all names and payloads together.
    bytes: usize,
}

impl Payload for Blob {
    fn weight(&self) -> usize {
        self.len()
    }
}

impl Payload for () {
    fn weight(&self) -> usize {
        0
    }
}

impl<V> Default for Members<V> {
    fn default() -> Members<V> {
        Members { elements: Tree::default(), bytes: 0 }
    }
}

impl<V> Members<V> {
    /// Bytes that each element takes beside its name and its payload, roughly.
    pub const PER_ELEMENT: usize = size_of::<(Blob, V)>();

    pub fn len(&self) -> usize {
        self.elements.len()
    }

    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Bytes that they take in a commit and in memory, roughly.
    pub fn weight(&self) -> usize {
        self.bytes + self.len() * Self::PER_ELEMENT
    }
}

impl<V: Payload> Members<V> {
    pub fn get(&self, name: &[u8]) -> Option<&V> {
        self.elements.find(name)
    }

    pub fn contains(&self, name: &[u8]) -> bool {
        self.get(name).is_some()
    }

    /// The element with this rank among the names, from 0.
    pub fn nth(&self, rank: usize) -> Option<(&Blob, &V)> {
        self.elements.nth(rank)
    }

    /// All elements in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Blob, &V)> {
        self.elements.iter()
    }

    /// The elements from this name on, itself included.
    pub fn iter_from(&self, name: &[u8]) -> impl Iterator<Item = (&Blob, &V)> {
        self.elements.iter_from(name)
    }

    /// Has fetched what looking for each of these names will read.
    pub(crate) fn fetch(&self, names: &[&[u8]]) {
        self.elements.fetch(names);
    }

    /// Makes `name` stand for `payload`, or takes it out. Returns what it stood for.
    pub fn edit(&mut self, name: &Blob, payload: Option<V>) -> Option<V> {
        let added = payload.as_ref().map_or(0, |payload| name.len() + payload.weight());
        let before = match payload {
            Some(payload) => self.elements.insert(name.clone(), payload),
            None => self.elements.remove(name),
        };
        self.bytes += added;
        self.bytes -= before.as_ref().map_or(0, |before| name.len() + before.weight());
        before
    }
}

impl<V: Payload> FromIterator<(Blob, V)> for Members<V> {
    fn from_iter<I: IntoIterator<Item = (Blob, V)>>(elements: I) -> Members<V> {
        let mut members = Members::default();
        for (name, payload) in elements {
            members.edit(&name, Some(payload));
        }
        members
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn members_are_a_map(
            edits in prop::collection::vec((any::<u8>(), prop::option::of(prop::collection::vec(any::<u8>(), 0..40))), 0..300),
        ) {
            let mut hash = Hash::default();
            let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            for (name, value) in edits {
                let before = hash.edit(&Blob::from(&[name]), value.clone().map(Blob::from));
                let expected = match value {
                    Some(value) => model.insert(vec![name], value),
                    None => model.remove([name].as_slice()),
                };
                prop_assert_eq!(before, expected.map(Blob::from));
                let weight = model.iter().map(|(name, value)| name.len() + value.len() + Hash::PER_ELEMENT);
                prop_assert_eq!(hash.weight(), weight.sum::<usize>());
            }
            let elements = hash.iter().map(|(name, value)| (name.to_vec(), value.to_vec()));
            prop_assert!(elements.eq(model.clone()));
            for (rank, (name, _)) in model.iter().enumerate() {
                prop_assert_eq!(hash.nth(rank).unwrap().0.as_slice(), name.as_slice());
                let from = hash.iter_from(name).map(|(name, _)| name.to_vec());
                prop_assert!(from.eq(model.range(name.clone()..).map(|(name, _)| name.clone())));
            }
        }
    }
}
