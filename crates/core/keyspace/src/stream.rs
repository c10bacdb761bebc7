//! A stream: entries in order of their ids, and the groups that read it together.
//!
//! ```text
//! entries   1-0 {..}   1-1 {..}   7-0 {..}      marks: last 7-0, deleted 0-0, added 3
//! groups    g: position 1-1, pending 1-0 -> ann (2nd time), 1-1 -> bob
//! ```
//!
//! Ids only grow: `last` stays when the entry with it is deleted. A stream without entries stays, since its last id and
//! its groups are still of use. What changes is one [`Edit`] at a time, each of which says what it has taken away in
//! edits again.

use std::sync::Arc;

use crate::{Blob, Tree};

mod edit;
mod group;

pub use edit::Edit;
pub use group::{Consumer, Group, Pending, Position};

/// Of an entry: milliseconds, and a number among those of the same millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    pub millis: u64,
    pub number: u64,
}

/// Field, value, field, value.
pub type Fields = Arc<[Blob]>;

/// What is known of all entries that have ever been there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The greatest id.
    pub last: Id,
    /// The greatest id that was deleted.
    pub deleted: Id,
    /// How many were added.
    pub added: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stream {
    entries: Tree<Id, Fields>,
    /// Of all fields and values together.
    bytes: usize,
    marks: Marks,
    groups: Tree<Blob, Arc<Group>>,
}

impl Id {
    pub const MIN: Id = Id { millis: 0, number: 0 };
    pub const MAX: Id = Id { millis: u64::MAX, number: u64::MAX };

    /// The next greater one.
    pub fn next(self) -> Option<Id> {
        match self.number.checked_add(1) {
            Some(number) => Some(Id { number, ..self }),
            None => self.millis.checked_add(1).map(|millis| Id { millis, number: 0 }),
        }
    }

    /// The next smaller one.
    pub fn previous(self) -> Option<Id> {
        match self.number.checked_sub(1) {
            Some(number) => Some(Id { number, ..self }),
            None => self.millis.checked_sub(1).map(|millis| Id { millis, number: u64::MAX }),
        }
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.millis, self.number)
    }
}

impl Stream {
    pub(crate) fn new(
        marks: Marks,
        entries: impl IntoIterator<Item = (Id, Fields)>,
        groups: impl IntoIterator<Item = (Blob, Arc<Group>)>,
    ) -> Stream {
        let entries: Tree<Id, Fields> = entries.into_iter().collect();
        // Of those that are left: what comes from a file may have an id twice.
        let bytes = entries.iter().map(|(_, fields)| weight(fields)).sum();
        Stream { entries, bytes, marks, groups: groups.into_iter().collect() }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// Bytes that it takes in a commit and in memory, roughly.
    pub fn weight(&self) -> usize {
        const PER_ENTRY: usize = size_of::<(Id, Fields)>() + 2 * size_of::<usize>();
        let groups = self.groups.iter().map(|(name, group)| name.len() + group.weight()).sum::<usize>();
        self.bytes + self.len() * PER_ENTRY + groups
    }

    pub fn get(&self, id: Id) -> Option<&Fields> {
        self.entries.get(&id)
    }

    pub fn first(&self) -> Option<(Id, &Fields)> {
        self.nth(0)
    }

    /// The last entry that is still there.
    pub fn last(&self) -> Option<(Id, &Fields)> {
        self.len().checked_sub(1).and_then(|rank| self.nth(rank))
    }

    /// The entry with this rank, from 0.
    pub fn nth(&self, rank: usize) -> Option<(Id, &Fields)> {
        self.entries.nth(rank).map(|(id, fields)| (*id, fields))
    }

    /// How many entries are before `id`.
    pub fn rank(&self, id: Id) -> usize {
        self.entries.rank(&id)
    }

    /// The entries in order from `id` on, itself included.
    pub fn iter_from(&self, id: Id) -> impl Iterator<Item = (Id, &Fields)> {
        self.entries.iter_from(&id).map(|(id, fields)| (*id, fields))
    }

    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name).map(Arc::as_ref)
    }

    /// All groups in the order of their names.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (&Blob, &Arc<Group>)> {
        let groups: Vec<_> = self.groups.iter().collect();
        groups.into_iter()
    }
}

/// Bytes that the fields of an entry take.
fn weight(fields: &Fields) -> usize {
    fields.iter().map(|part| part.len() + size_of::<Blob>()).sum()
}
