//! What a transaction has done so far.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use crate::state::Undo;
use crate::{Blob, Change, Changes, Database, Publish};

/// Applied to the state, and in no commit yet.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) changes: Changes,
    /// Of each change, in the same order.
    pub(crate) undos: Undos,
    pub(crate) publishes: Vec<Publish>,
    /// Of the changes, as [`Change::effect`] counts, and of what is published.
    pub(crate) bytes: usize,
    /// Noted when somebody else is to decide whether what was read still holds.
    pub(crate) reads: Option<Reads>,
}

pub(crate) type Undos = SmallVec<[Undo; 1]>;

/// Everything that the outcome of a transaction may depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// There or not.
    pub keys: BTreeSet<(Database, Blob)>,
    /// All keys that begin with a prefix, and that there are no others; an empty prefix is the whole database.
    pub ranges: BTreeSet<(Database, Blob)>,
}

impl Draft {
    pub(crate) fn push(&mut self, change: Change, undo: Undo) {
        self.bytes += change.effect();
        self.changes.push(change);
        self.undos.push(undo);
    }
}
