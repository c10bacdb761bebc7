//! A walk over a tree in order.

use super::{Branch, Child, Node};

/// Entries in order. Holds the path from the root, so that a step costs no search.
pub struct Iter<'a, K, V> {
    branches: Vec<std::slice::Iter<'a, Child<K, V>>>,
    leaf: std::slice::Iter<'a, (K, V)>,
}

impl<'a, K, V> Iter<'a, K, V> {
    pub(super) fn from_rank(root: &'a Node<K, V>, rank: usize) -> Self {
        let mut iter = Iter { branches: Vec::new(), leaf: [].iter() };
        iter.descend(root, rank);
        iter
    }

    /// Goes down to the leaf that has the entry with this rank below `node`.
    fn descend(&mut self, mut node: &'a Node<K, V>, mut rank: usize) {
        loop {
            match node {
                Node::Leaf(leaf) => {
                    let entries = leaf.entries();
                    self.leaf = entries[rank.min(entries.len())..].iter();
                    return;
                }
                Node::Branch(Branch { children, .. }) => {
                    let mut at = 0;
                    while at + 1 < children.len() && rank >= children[at].count {
                        rank -= children[at].count;
                        at += 1;
                    }
                    self.branches.push(children[at + 1..].iter());
                    node = &children[at].node;
                }
            }
        }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.leaf.next() {
                return Some((key, value));
            }
            match self.branches.last_mut()?.next() {
                Some(child) => self.descend(&child.node, 0),
                None => {
                    self.branches.pop();
                }
            }
        }
    }
}
