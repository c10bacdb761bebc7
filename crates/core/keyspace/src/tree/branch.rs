//! The nodes between root and leaves: what is below them, in order and counted.

use std::borrow::Borrow;
use std::sync::Arc;

use super::Node;

/// Children of a branch at most.
pub(super) const WIDTH: usize = 32;

pub(super) struct Branch<K, V> {
    pub(super) children: Vec<Child<K, V>>,
    /// Of all entries below: asked for far more often than it changes.
    pub(super) count: usize,
}

/// `low` is at most the smallest key below and greater than every key of the child before.
#[derive(Clone)]
pub(super) struct Child<K, V> {
    pub(super) low: K,
    pub(super) count: usize,
    pub(super) node: Arc<Node<K, V>>,
}

impl<K, V> Branch<K, V> {
    pub(super) fn of(children: Vec<Child<K, V>>) -> Self {
        let count = children.iter().map(|child| child.count).sum();
        Branch { children, count }
    }

    /// The child that has the entry with this rank, or the last one. The rank becomes that in it. At both ends, where most
    /// is asked for of a list, nothing is counted.
    pub(super) fn child_at(&self, rank: &mut usize) -> usize {
        let last = self.children.len() - 1;
        let behind = self.count - self.children[last].count;
        if *rank >= behind {
            *rank -= behind;
            return last;
        }
        let mut at = 0;
        while *rank >= self.children[at].count {
            *rank -= self.children[at].count;
            at += 1;
        }
        at
    }
}

impl<K: Clone, V: Clone> Branch<K, V> {
    /// An entry below this child has been removed.
    pub(super) fn has_lost_one(&mut self, at: usize) {
        self.children[at].count -= 1;
        self.count -= 1;
        thin_out(&mut self.children, at);
    }
}

impl<K: Clone, V> Child<K, V> {
    pub(super) fn of(node: Arc<Node<K, V>>) -> Self {
        let low = match &*node {
            Node::Leaf(leaf) => leaf.entries()[0].0.clone(),
            Node::Branch(branch) => branch.children[0].low.clone(),
        };
        Child { low, count: node.count(), node }
    }
}

/// The child whose keys `key` belongs to.
pub(super) fn child_of<K: Borrow<Q>, V, Q: Ord + ?Sized>(children: &[Child<K, V>], key: &Q) -> usize {
    children[1..].partition_point(|child| child.low.borrow().cmp(key).is_le())
}

/// As [`Leaf::add`] does.
pub(super) fn add_child<K, V>(
    children: &mut Vec<Child<K, V>>,
    at: usize,
    child: Child<K, V>,
) -> Option<Vec<Child<K, V>>> {
    if children.len() < WIDTH {
        children.insert(at, child);
        return None;
    }
    let keep = WIDTH / 2;
    let mut half = Vec::with_capacity(WIDTH);
    half.extend(children.drain(keep..));
    match at.checked_sub(keep) {
        Some(at) => half.insert(at, child),
        None => children.insert(at, child),
    }
    Some(half)
}

/// Removes the child if it is empty and merges it with a neighbour if it is thin.
fn thin_out<K: Clone, V: Clone>(children: &mut Vec<Child<K, V>>, at: usize) {
    let (width, most) = children[at].node.width();
    if width == 0 {
        children.remove(at);
        return;
    }
    let thin = most / 4;
    if width >= thin || children.len() == 1 {
        return;
    }
    let left = if at + 1 < children.len() { at } else { at - 1 };
    if children[left].node.width().0 + children[left + 1].node.width().0 > most - thin {
        return;
    }
    let right = children.remove(left + 1);
    children[left].count += right.count;
    match (Arc::make_mut(&mut children[left].node), Arc::unwrap_or_clone(right.node)) {
        (Node::Leaf(left), Node::Leaf(right)) => left.append(right),
        (Node::Branch(left), Node::Branch(right)) => {
            left.children.extend(right.children);
            left.count += right.count;
        }
        (Node::Leaf(_), Node::Branch(_)) | (Node::Branch(_), Node::Leaf(_)) => {
            unreachable!("all leaves have the same depth")
        }
    }
}
