//! What changed in an aggregate whose elements have names, and what takes it back.

use crate::members::EditList;
use crate::{Blob, Hash, Score, Set, Value, members, stream};

/// In order, each of one element. Of which type they are is the type of the aggregate.
#[derive(Clone, Debug, PartialEq)]
pub enum Edits {
    Hash(EditList<Blob>),
    Set(EditList<()>),
    SortedSet(EditList<Score>),
    Stream(Vec<stream::Edit>),
}

impl Edits {
    /// An aggregate without elements of the type that these are of.
    pub(crate) fn fresh(&self) -> Value {
        match self {
            Edits::Hash(_) => Value::Hash(Hash::default()),
            Edits::Set(_) => Value::Set(Set::default()),
            Edits::SortedSet(_) => Value::SortedSet(Box::default()),
            Edits::Stream(_) => Value::Stream(Box::default()),
        }
    }

    /// How many of them take an element out. Of a stream that is not told.
    pub(crate) fn removals(&self) -> usize {
        fn of<V>(edits: &[members::Edit<V>]) -> usize {
            edits.iter().filter(|(_, payload)| payload.is_none()).count()
        }
        match self {
            Edits::Hash(edits) => of(edits),
            Edits::Set(edits) => of(edits),
            Edits::SortedSet(edits) => of(edits),
            Edits::Stream(_) => 0,
        }
    }

    /// Whether only what groups of consumers know of a stream changes, and none of its entries.
    pub fn is_of_groups(&self) -> bool {
        match self {
            Edits::Hash(_) | Edits::Set(_) | Edits::SortedSet(_) => false,
            Edits::Stream(edits) => edits.iter().all(stream::Edit::is_of_groups),
        }
    }

    /// Changes `value`. Returns what takes it back; None when it is of another type.
    pub(crate) fn apply(&self, value: &mut Value) -> Option<Edits> {
        match (self, value) {
            (Edits::Hash(edits), Value::Hash(hash)) => {
                Some(Edits::Hash(each(edits, |(field, value)| hash.edit(field, value.clone()))))
            }
            (Edits::Set(edits), Value::Set(set)) => {
                Some(Edits::Set(each(edits, |(member, there)| set.edit(member, *there))))
            }
            (Edits::SortedSet(edits), Value::SortedSet(set)) => {
                Some(Edits::SortedSet(each(edits, |(member, score)| set.edit(member, *score))))
            }
            (Edits::Stream(edits), Value::Stream(stream)) => {
                let mut back = Vec::with_capacity(edits.len());
                edits.iter().for_each(|edit| stream.edit(edit, &mut back));
                back.reverse();
                Some(Edits::Stream(back))
            }
            (Edits::Hash(_) | Edits::Set(_) | Edits::SortedSet(_) | Edits::Stream(_), _) => None,
        }
    }

    /// Bytes that they take, roughly.
    pub fn weight(&self) -> usize {
        fn of<V: members::Payload>(edits: &[members::Edit<V>]) -> usize {
            let payload = |(name, payload): &members::Edit<V>| {
                size_of::<members::Edit<V>>() + name.len() + payload.as_ref().map_or(0, V::weight)
            };
            edits.iter().map(payload).sum()
        }
        match self {
            Edits::Hash(edits) => of(edits),
            Edits::Set(edits) => of(edits),
            Edits::SortedSet(edits) => of(edits),
            Edits::Stream(edits) => edits.iter().map(stream::Edit::weight).sum(),
        }
    }
}

/// Does all edits in order, and gives what takes them back, the last one first.
fn each<V>(edits: &[members::Edit<V>], mut edit: impl FnMut(&members::Edit<V>) -> Option<V>) -> EditList<V> {
    let mut back: EditList<V> = edits.iter().map(|one| (one.0.clone(), edit(one))).collect();
    back.reverse();
    back
}
