//! Where a key was found, so that whoever has looked for it need not search once more to change it.
//!
//! A way is tried before it is used: one from before the tree was changed leads to another key or nowhere, and then the
//! key is searched for.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;

use super::{Node, Tree, child_of};

/// From the root to an entry: a byte for each branch, the first one lowest, and the place in the leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    children: u64,
    at: u8,
}

/// What a search has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    Found(Way),
    Missed,
    /// Nobody has searched, or the way is too long to be kept.
    Untold,
}

impl Search {
    fn way(self) -> Option<Way> {
        match self {
            Search::Found(way) => Some(way),
            Search::Missed | Search::Untold => None,
        }
    }
}

impl<K: Ord + Hash + Clone, V: Clone> Tree<K, V> {
    /// As [`Tree::get`], and how to come there again.
    pub(crate) fn search<Q: Ord + Hash + ?Sized>(&self, key: &Q) -> (Option<&V>, Search)
    where
        K: Borrow<Q>,
    {
        let (mut node, mut children, mut depth) = (&*self.root, 0, 0);
        loop {
            match node {
                Node::Branch(branch) => {
                    let at = child_of(&branch.children, key);
                    node = &branch.children[at].node;
                    children |= (at as u64).checked_shl(depth).unwrap_or(0);
                    depth += u8::BITS;
                }
                Node::Leaf(leaf) => {
                    let Some(at) = leaf.find(key) else { return (None, Search::Missed) };
                    let told = depth <= u64::BITS;
                    let way = Way { children, at: at as u8 };
                    return (
                        Some(&leaf.entries()[at].1),
                        if told { Search::Found(way) } else { Search::Untold },
                    );
                }
            }
        }
    }

    /// As [`Tree::get`], of what was searched for before.
    pub(crate) fn get_again<Q: Ord + Hash + ?Sized>(&self, key: &Q, search: Search) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match search {
            Search::Missed => None,
            search => self.try_way(key, search).or_else(|| self.get(key)),
        }
    }

    /// As [`Tree::get_mut`], of what was searched for before.
    pub(crate) fn get_mut_again<Q: Ord + Hash + ?Sized>(&mut self, key: &Q, search: Search) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let Some(way) = search.way().filter(|_| self.try_way(key, search).is_some()) else {
            return if search == Search::Missed { None } else { self.get_mut(key) };
        };
        let (mut node, mut children) = (Arc::make_mut(&mut self.root), way.children);
        loop {
            match node {
                Node::Leaf(leaf) => return Some(leaf.value_mut(way.at.into())),
                Node::Branch(branch) => {
                    node = Arc::make_mut(&mut branch.children[usize::from(children as u8)].node);
                    children >>= u8::BITS;
                }
            }
        }
    }

    /// As [`Tree::remove`], of what was searched for before.
    pub(crate) fn remove_again<Q: Ord + Hash + ?Sized>(&mut self, key: &Q, search: Search) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let Some(way) = search.way().filter(|_| self.try_way(key, search).is_some()) else {
            return if search == Search::Missed { None } else { self.remove(key) };
        };
        let value = remove_along(&mut self.root, way);
        self.lower_root();
        Some(value)
    }

    /// What stands at the end of the way, if that is `key`.
    fn try_way<Q: Eq + ?Sized>(&self, key: &Q, search: Search) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let way = search.way()?;
        let (mut node, mut children) = (&*self.root, way.children);
        loop {
            match node {
                Node::Leaf(leaf) => {
                    let (here, value) = leaf.entries().get(usize::from(way.at))?;
                    return (here.borrow() == key).then_some(value);
                }
                Node::Branch(branch) => {
                    node = &branch.children.get(usize::from(children as u8))?.node;
                    children >>= u8::BITS;
                }
            }
        }
    }
}

/// Removes what stands at the end of the way, which has been tried.
fn remove_along<K: Clone, V: Clone>(node: &mut Arc<Node<K, V>>, way: Way) -> V {
    match Arc::make_mut(node) {
        Node::Leaf(leaf) => leaf.remove(way.at.into()),
        Node::Branch(branch) => {
            let at = usize::from(way.children as u8);
            let rest = Way { children: way.children >> u8::BITS, ..way };
            let value = remove_along(&mut branch.children[at].node, rest);
            branch.has_lost_one(at);
            value
        }
    }
}
