//! The tree against the standard map, and its promise to readers.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Branch, Node, Search, Tree, leaf};
use crate::Blob;

#[derive(Clone, Debug)]
enum Step {
    Insert(u16, u32),
    Remove(u16),
    RemoveNth(usize),
    Change(u16),
    Clone,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..600u16;
    let step = prop_oneof![
        6 => (key.clone(), any::<u32>()).prop_map(|(k, v)| Step::Insert(k, v)),
        4 => key.clone().prop_map(Step::Remove),
        2 => prop_oneof![Just(0), Just(usize::MAX), 0..600usize].prop_map(Step::RemoveNth),
        1 => key.prop_map(Step::Change),
        1 => Just(Step::Clone),
    ];
    prop::collection::vec(step, 0..1500)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_tree_is_the_standard_map_and_its_clones_stay_as_they_were(steps in steps()) {
        let mut tree = Tree::default();
        let mut map = BTreeMap::new();
        let mut clones = Vec::new();
        for step in steps {
            match step {
                Step::Insert(k, v) => assert_eq!(tree.insert(k, v), map.insert(k, v)),
                Step::Remove(k) => assert_eq!(tree.remove(&k), map.remove(&k)),
                Step::RemoveNth(rank) => {
                    // The last one for what is beyond every end.
                    let rank = if rank == usize::MAX { map.len().saturating_sub(1) } else { rank };
                    let expected = map.iter().nth(rank).map(|(k, v)| (*k, *v));
                    if let Some((k, _)) = &expected {
                        map.remove(k);
                    }
                    assert_eq!(tree.remove_nth(rank), expected);
                }
                Step::Change(k) => {
                    let (ours, theirs) = (tree.get_mut(&k), map.get_mut(&k));
                    assert_eq!(ours, theirs);
                    if let (Some(ours), Some(theirs)) = (ours, theirs) {
                        *ours ^= 1;
                        *theirs ^= 1;
                    }
                }
                Step::Clone => clones.push((tree.clone(), map.clone())),
            }
        }
        same(&tree, &map);
        for (tree, map) in &clones {
            same(tree, map);
        }
    }
}

#[track_caller]
fn same(tree: &Tree<u16, u32>, map: &BTreeMap<u16, u32>) {
    assert!(tree.iter().eq(map.iter()));
    assert_eq!(tree.len(), map.len());
    assert_eq!(tree.last(), map.last_key_value());
    sound(&tree.root, true);
    for key in [0, 7, 300, 599, 700] {
        assert_eq!(tree.get(&key), map.get(&key));
        assert_eq!(tree.rank(&key), map.range(..key).count());
        assert!(tree.iter_from(&key).eq(map.range(key..)));
    }
}

/// Checks the invariants and gives the depth.
#[track_caller]
fn sound(node: &Arc<Node<u16, u32>>, is_root: bool) -> usize {
    let (width, most) = node.width();
    assert!(width <= most && (is_root || width > 0));
    match &**node {
        Node::Leaf(leaf) => {
            let keys = leaf.entries().iter().map(|(key, _)| key);
            assert!(keys.enumerate().all(|(at, key)| leaf.find(key) == Some(at)));
            0
        }
        Node::Branch(Branch { children, count }) => {
            assert_eq!(*count, children.iter().map(|child| child.count).sum::<usize>());
            let depths: Vec<usize> = children.iter().map(|child| sound(&child.node, false)).collect();
            assert!(depths.windows(2).all(|pair| pair[0] == pair[1]));
            assert!(children.iter().all(|child| child.count == child.node.count()));
            depths[0] + 1
        }
    }
}

#[test]
fn what_was_searched_for_is_found_again_and_a_way_from_before_a_change_leads_nobody_astray() {
    let mut tree: Tree<u32, u32> = (0..5000).map(|key| (2 * key, key)).collect();
    let keys = (0..10_000).step_by(7);
    let searches: Vec<_> = keys.map(|key| (key, tree.search(&key).1)).collect();
    for (key, search) in &searches {
        assert_eq!(*search == Search::Missed, key % 2 == 1);
        assert_eq!(tree.get_again(key, *search), tree.get(key));
        let expected = tree.get(key).copied();
        assert_eq!(tree.get_mut_again(key, *search).copied(), expected);
    }
    let reader = tree.clone();
    let there = searches.iter().filter(|(_, search)| *search != Search::Missed);
    // Each moves what stands behind it, so that all ways but the first are old ones.
    for (key, search) in there {
        assert_eq!(tree.get_again(key, *search), Some(&(key / 2)));
        assert_eq!(tree.remove_again(key, *search), Some(key / 2));
        assert_eq!(tree.get_mut_again(key, *search), None);
        assert_eq!(tree.remove_again(key, *search), None);
        assert_eq!(tree.get_again(key, Search::Untold), None);
    }
    assert_eq!((tree.len(), reader.len()), (5000 - 5000usize.div_ceil(7), 5000));
}

#[test]
fn what_is_fetched_for_names_is_nearly_always_theirs() {
    let name = |n: u32| format!("key:{n:012}").into_bytes();
    let tree: Tree<Blob, u32> = (0..50_000).map(|n| (Blob::from(name(n)), n)).collect();
    let wanted: Vec<u32> = (0..1000).map(|n| n * 47).collect();
    let names: Vec<Vec<u8>> = wanted.iter().copied().map(name).collect();
    let fetched = tree.fetch(&names.iter().map(Vec::as_slice).collect::<Vec<_>>());
    assert_eq!(fetched.len(), wanted.len());
    let right = fetched.iter().zip(&wanted).filter(|(fetched, wanted)| **fetched == *wanted).count();
    assert!(right > 900, "{right} of {}", wanted.len());
    let absent: [&[u8]; 3] = [b"", b"key:", &[255; 100]];
    assert!(tree.fetch(&absent).len() <= absent.len());
    let few: Tree<Blob, u32> = (0..10).map(|n| (Blob::from(name(n)), n)).collect();
    assert!(few.fetch(&absent).is_empty(), "they are near");
}

#[test]
fn keys_in_order_leave_full_leaves() {
    let ascending: Tree<u32, ()> = (0..10_000).map(|key| (key, ())).collect();
    let descending: Tree<u32, ()> = (0..10_000).rev().map(|key| (key, ())).collect();
    for tree in [ascending, descending] {
        let mut leaves = 0;
        count_leaves(&tree.root, &mut leaves);
        assert_eq!(leaves, 10_000usize.div_ceil(leaf::WIDTH));
    }
}

#[test]
fn descending_keys_behind_full_leaves_leave_full_leaves_too() {
    for before in [leaf::WIDTH as u32, 32 * leaf::WIDTH as u32, 1024 * leaf::WIDTH as u32] {
        let mut tree: Tree<u32, ()> = (0..before).map(|key| (key, ())).collect();
        for key in (before..before + 10_000).rev() {
            tree.insert(key, ());
        }
        let mut leaves = 0;
        count_leaves(&tree.root, &mut leaves);
        let fewest = tree.len().div_ceil(leaf::WIDTH);
        assert!(leaves < fewest + fewest / 10 + 2, "{leaves} leaves, not {fewest}, behind {before} keys");
    }
}

fn count_leaves<K, V>(node: &Node<K, V>, leaves: &mut usize) {
    match node {
        Node::Leaf(_) => *leaves += 1,
        Node::Branch(branch) => branch.children.iter().for_each(|child| count_leaves(&child.node, leaves)),
    }
}

#[test]
fn a_write_without_a_reader_copies_nothing() {
    let mut tree: Tree<u32, u32> = (0..1000).map(|key| (key, 0)).collect();
    let root = Arc::as_ptr(&tree.root);
    *tree.get_mut(&500).unwrap() = 1;
    assert_eq!(Arc::as_ptr(&tree.root), root);
    let reader = tree.clone();
    *tree.get_mut(&500).unwrap() = 2;
    assert_ne!(Arc::as_ptr(&tree.root), root);
    assert_eq!((reader.get(&500), tree.get(&500)), (Some(&1), Some(&2)));
}

#[test]
fn a_miss_copies_nothing_of_what_a_reader_holds_even_below_what_is_no_longer_shared() {
    let mut tree: Tree<u32, u32> = (0..5000).map(|key| (2 * key, 0)).collect();
    let reader = tree.clone();
    *tree.get_mut(&0).unwrap() = 1;
    let before = leaves_at(&tree.root);
    assert_ne!(before[0], leaves_at(&reader.root)[0], "the root and the first leaf are copies");
    assert_eq!(tree.remove(&5001), None);
    assert_eq!(leaves_at(&tree.root), before);
    assert_eq!(tree.remove(&5000), Some(0));
    assert_ne!(leaves_at(&tree.root), before);
    assert_eq!(reader.get(&5000), Some(&0));
}

fn leaves_at<K, V>(node: &Arc<Node<K, V>>) -> Vec<*const Node<K, V>> {
    match &**node {
        Node::Leaf(_) => vec![Arc::as_ptr(node)],
        Node::Branch(branch) => branch.children.iter().flat_map(|child| leaves_at(&child.node)).collect(),
    }
}
