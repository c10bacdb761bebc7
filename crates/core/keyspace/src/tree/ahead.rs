//! Lookups that are known before they are made.
//!
//! Among very many keys a lookup waits for memory three times, each time for what the last wait has told it: for the leaf,
//! for the key in it, and for what the key holds. Several lookups that are known together need not wait one after the
//! other: each step is made for all of them before the next, and the processor fetches what it is told of at once. The
//! lookups themselves then find everything near.

use std::hint::black_box;

use smallvec::SmallVec;

use super::leaf::{Leaf, mark};
use super::{Branch, Node, Tree, child_of};
use crate::Blob;

/// A processor fetches about so many lines at once.
const AT_ONCE: usize = 16;
/// So few keys are near anyway.
const NEAR: usize = 2000;

impl<V> Tree<Blob, V> {
    /// Has fetched what looking for each of these names will read, but for what the values refer to. Gives back the values,
    /// of names that are not there perhaps others.
    pub fn fetch(&self, names: &[&[u8]]) -> SmallVec<[&V; AT_ONCE]> {
        if self.len() < NEAR {
            return SmallVec::new();
        }
        names.chunks(AT_ONCE).flat_map(|names| self.fetch_few(names)).collect()
    }

    fn fetch_few(&self, names: &[&[u8]]) -> SmallVec<[&V; AT_ONCE]> {
        let leaves = self.leaves_of(names);
        let places =
            leaves.iter().zip(names).map(|(leaf, name)| (*leaf, leaf.likely_places(mark(*name)).next()));
        let places: SmallVec<[_; AT_ONCE]> = places.collect();
        let entries = places.iter().filter_map(|(leaf, at)| leaf.entries().get((*at)?));
        // A key and its value stand side by side.
        let touched = entries.map(|(key, value)| {
            black_box(key.first());
            value
        });
        touched.collect()
    }

    /// The leaves that these names belong to, on the way into the cache.
    fn leaves_of(&self, names: &[&[u8]]) -> SmallVec<[&Leaf<Blob, V>; AT_ONCE]> {
        let mut nodes: SmallVec<[&Node<Blob, V>; AT_ONCE]> = names.iter().map(|_| &*self.root).collect();
        // All leaves have the same depth.
        while matches!(nodes.first(), Some(Node::Branch(_))) {
            for (node, name) in nodes.iter_mut().zip(names) {
                if let Node::Branch(Branch { children, .. }) = node {
                    let at = match Blob::short(name) {
                        Some(name) => child_of(children, &name),
                        None => child_of(children, *name),
                    };
                    *node = &children[at].node;
                }
            }
            nodes.iter().for_each(|node| {
                black_box(matches!(node, Node::Leaf(_)));
            });
        }
        let leaves = nodes.into_iter().filter_map(|node| match node {
            Node::Leaf(leaf) => Some(leaf),
            Node::Branch(_) => None,
        });
        leaves.collect()
    }
}
