//! An ordered map that can be read as of one moment while it is written.
//!
//! A B+ tree whose nodes are shared by reference count. A clone of the tree is one more reference to the root. A
//! write changes nodes that nobody else holds in place, and copies the path to nodes that a clone still holds:
//!
//! ```text
//! clone = tree.clone()          tree.insert(d)
//!
//!   tree  clone                 tree      clone
//!     \   /                       |         |
//!      [*]                       [*']      [*]
//!     /   \                     /   \     /   \
//!  [a b] [c]              [a b] <----+---+    [c]
//!                               [c d']
//! ```
//!
//! So a reader at a revision costs the writer one path copy per written leaf, and nothing when there is no reader.
//! Branches count what is below them: the n-th element and the rank of a key cost a walk from root to leaf. Every
//! aggregate of the keyspace is such a tree, which makes each of them readable as of one moment too.
//!
//! Invariants: all leaves have the same depth; no node but an empty root is empty; no node holds more than its width.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;

use crate::Blob;

mod ahead;
mod branch;
mod iter;
mod leaf;
mod way;

pub use iter::Iter;
pub(crate) use way::Search;

use self::branch::{Branch, Child, add_child, child_of};
use self::leaf::Leaf;

#[derive(Clone)]
pub struct Tree<K, V> {
    root: Arc<Node<K, V>>,
}

enum Node<K, V> {
    Leaf(Leaf<K, V>),
    Branch(Branch<K, V>),
}

impl<K, V> Default for Tree<K, V> {
    fn default() -> Self {
        Tree { root: Arc::default() }
    }
}

impl<K, V> Tree<K, V> {
    pub fn len(&self) -> usize {
        self.root.count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All entries in order.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter::from_rank(&self.root, 0)
    }

    /// The entries in order from the one with this rank on.
    pub fn iter_from_rank(&self, rank: usize) -> Iter<'_, K, V> {
        Iter::from_rank(&self.root, rank)
    }

    /// The entry with this rank, counted from 0.
    pub fn nth(&self, mut rank: usize) -> Option<(&K, &V)> {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.entries().get(rank).map(|(key, value)| (key, value)),
                Node::Branch(branch) => node = &branch.children[branch.child_at(&mut rank)].node,
            }
        }
    }

    pub fn first(&self) -> Option<(&K, &V)> {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.entries().first().map(|(key, value)| (key, value)),
                Node::Branch(branch) => node = &branch.children.first()?.node,
            }
        }
    }

    pub fn last(&self) -> Option<(&K, &V)> {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.entries().last().map(|(key, value)| (key, value)),
                Node::Branch(branch) => node = &branch.children.last()?.node,
            }
        }
    }
}

impl<K: Ord + Hash + Clone, V: Clone> Tree<K, V> {
    pub fn get<Q: Ord + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        find_below(&self.root, key)
    }

    /// The value of `key` to be changed in place. Copies the path if a clone of the tree holds it.
    pub fn get_mut<Q: Ord + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let mut node = Arc::make_mut(&mut self.root);
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.find(key).map(|at| leaf.value_mut(at)),
                Node::Branch(Branch { children, .. }) => {
                    let at = child_of(children, key);
                    node = Arc::make_mut(&mut children[at].node);
                }
            }
        }
    }

    /// Puts `value` at `key` and gives back what stood there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match insert_into(&mut self.root, key, value) {
            Inserted::Replaced(value) => Some(value),
            Inserted::Added { split: None } => None,
            Inserted::Added { split: Some(right) } => {
                let left = Child::of(std::mem::take(&mut self.root));
                self.root = Arc::new(Node::Branch(Branch::of(vec![left, right])));
                None
            }
        }
    }

    pub fn remove<Q: Ord + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let value = remove_from(&mut self.root, key);
        self.lower_root();
        value
    }

    /// Takes the entry with this rank out, counted from 0.
    pub fn remove_nth(&mut self, rank: usize) -> Option<(K, V)> {
        if rank >= self.len() {
            return None;
        }
        let entry = remove_nth(&mut self.root, rank);
        self.lower_root();
        Some(entry)
    }

    /// The entries in order from `key` on, itself included.
    pub fn iter_from<Q: Ord + ?Sized>(&self, key: &Q) -> Iter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        self.iter_from_rank(self.rank(key))
    }

    /// How many keys are smaller than `key`.
    pub fn rank<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        let mut rank = 0;
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return rank + leaf.count_while(|k| k.borrow() < key),
                Node::Branch(Branch { children, .. }) => {
                    let at = child_of(children, key);
                    rank += children[..at].iter().map(|child| child.count).sum::<usize>();
                    node = &children[at].node;
                }
            }
        }
    }

    /// How many of the first keys are `before` a bound. Whoever is has nobody in front of it who is not.
    pub fn count_while(&self, before: impl Fn(&K) -> bool) -> usize {
        let mut count = 0;
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return count + leaf.count_while(before),
                Node::Branch(Branch { children, .. }) => {
                    let at = children[1..].partition_point(|child| before(&child.low));
                    count += children[..at].iter().map(|child| child.count).sum::<usize>();
                    node = &children[at].node;
                }
            }
        }
    }

    /// Takes away levels that have become a single path.
    fn lower_root(&mut self) {
        while let Node::Branch(branch) = &*self.root {
            match branch.children.as_slice() {
                [] => self.root = Arc::default(),
                [only] => self.root = only.node.clone(),
                _ => return,
            }
        }
    }
}

impl<V: Clone> Tree<Blob, V> {
    /// The same as [`Tree::get`], faster for a name that is short.
    pub fn find(&self, name: &[u8]) -> Option<&V> {
        match Blob::short(name) {
            Some(name) => self.get(&name),
            None => self.get(name),
        }
    }
}

impl<K: Ord + Hash + Clone, V: Clone> FromIterator<(K, V)> for Tree<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut tree = Tree::default();
        for (key, value) in entries {
            tree.insert(key, value);
        }
        tree
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for Tree<K, V> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.root, &other.root) || (self.len() == other.len() && self.iter().eq(other.iter()))
    }
}

impl<K: std::fmt::Debug, V: std::fmt::Debug> std::fmt::Debug for Tree<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The copy is about to be changed, so it has room for what is added to it.
impl<K: Clone, V: Clone> Clone for Node<K, V> {
    fn clone(&self) -> Self {
        match self {
            Node::Leaf(leaf) => Node::Leaf(leaf.clone()),
            Node::Branch(branch) => {
                let mut children = Vec::with_capacity(branch::WIDTH);
                children.extend_from_slice(&branch.children);
                Node::Branch(Branch { children, count: branch.count })
            }
        }
    }
}

impl<K, V> Default for Node<K, V> {
    fn default() -> Self {
        Node::Leaf(Leaf::default())
    }
}

impl<K, V> Node<K, V> {
    fn count(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.entries().len(),
            Node::Branch(branch) => branch.count,
        }
    }

    /// How many entries or children there are, and how many there can be.
    fn width(&self) -> (usize, usize) {
        match self {
            Node::Leaf(leaf) => (leaf.entries().len(), leaf::WIDTH),
            Node::Branch(branch) => (branch.children.len(), branch::WIDTH),
        }
    }
}

fn find_below<'n, K: Ord + Borrow<Q>, V, Q: Ord + Hash + ?Sized>(
    mut node: &'n Node<K, V>,
    key: &Q,
) -> Option<&'n V> {
    loop {
        match node {
            Node::Leaf(leaf) => return leaf.find(key).map(|at| &leaf.entries()[at].1),
            Node::Branch(Branch { children, .. }) => node = &children[child_of(children, key)].node,
        }
    }
}

enum Inserted<K, V> {
    Replaced(V),
    /// With the right half, when the node had to be split.
    Added {
        split: Option<Child<K, V>>,
    },
}

fn insert_into<K: Ord + Hash + Clone, V: Clone>(
    node: &mut Arc<Node<K, V>>,
    key: K,
    value: V,
) -> Inserted<K, V> {
    match Arc::make_mut(node) {
        Node::Leaf(leaf) => {
            if let Some(at) = leaf.find(&key) {
                return Inserted::Replaced(std::mem::replace(leaf.value_mut(at), value));
            }
            let at = leaf.count_while(|before| *before < key);
            let half = leaf.add(at, key, value);
            Inserted::Added { split: half.map(|half| Child::of(Arc::new(Node::Leaf(half)))) }
        }
        Node::Branch(branch) => insert_below(branch, key, value),
    }
}

/// Whether the first of these is a full leaf that ends before the key, and the next has room.
fn goes_on<K: Ord, V>(children: &[Child<K, V>], key: &K) -> bool {
    let [first, next, ..] = children else { return false };
    let Node::Leaf(leaf) = &*first.node else { return false };
    leaf.entries().len() == leaf::WIDTH
        && next.count < leaf::WIDTH
        && leaf.entries().last().is_some_and(|(last, _)| last < key)
}

fn insert_below<K: Ord + Hash + Clone, V: Clone>(
    branch: &mut Branch<K, V>,
    key: K,
    value: V,
) -> Inserted<K, V> {
    let Branch { children, count } = branch;
    let at = child_of(children, &key);
    // Behind a full leaf, as descending keys come behind others, each would get a leaf of its own.
    let at = at + usize::from(goes_on(&children[at..], &key));
    let child = &mut children[at];
    if key < child.low {
        child.low = key.clone();
    }
    let split = match insert_into(&mut child.node, key, value) {
        Inserted::Replaced(value) => return Inserted::Replaced(value),
        Inserted::Added { split } => split,
    };
    child.count += 1;
    *count += 1;
    let Some(right) = split else { return Inserted::Added { split: None } };
    child.count -= right.count;
    let half = add_child(children, at + 1, right).map(Branch::of);
    *count -= half.as_ref().map_or(0, |half| half.count);
    Inserted::Added { split: half.map(|half| Child::of(Arc::new(Node::Branch(half)))) }
}

/// Removes `key` if it is there.
fn remove_from<K: Ord + Clone + Borrow<Q>, V: Clone, Q: Ord + Hash + ?Sized>(
    node: &mut Arc<Node<K, V>>,
    key: &Q,
) -> Option<V> {
    // Looked up first where a clone may hold the rest of the path, so that a miss copies none.
    if Arc::strong_count(node) > 1 {
        find_below(node, key)?;
    }
    match Arc::make_mut(node) {
        Node::Leaf(leaf) => leaf.find(key).map(|at| leaf.remove(at)),
        Node::Branch(branch) => {
            let at = child_of(&branch.children, key);
            let value = remove_from(&mut branch.children[at].node, key)?;
            branch.has_lost_one(at);
            Some(value)
        }
    }
}

/// Removes the entry with this rank, which has to be there.
fn remove_nth<K: Clone, V: Clone>(node: &mut Arc<Node<K, V>>, mut rank: usize) -> (K, V) {
    match Arc::make_mut(node) {
        Node::Leaf(leaf) => leaf.take(rank),
        Node::Branch(branch) => {
            let at = branch.child_at(&mut rank);
            let entry = remove_nth(&mut branch.children[at].node, rank);
            branch.has_lost_one(at);
            entry
        }
    }
}

#[cfg(test)]
mod tests;
