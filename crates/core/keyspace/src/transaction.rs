//! A transaction: reads of one moment, and the changes that follow from them.

use std::sync::Arc;

use adsum_model::Revision;
use smallvec::{SmallVec, smallvec};

use crate::{
    Blob, Change, Changes, Commit, Database, Deadline, Entry, Keys, Keyspace, Notice, Notices, Now, Op, Value,
};

/// What came of a transaction. Nothing of it may leave the process before `commit` is durable.
#[derive(Debug)]
pub struct Outcome<T> {
    pub reply: T,
    /// None when nothing was changed.
    pub commit: Option<Arc<Commit>>,
    pub publishes: Vec<Publish>,
}

/// A message for whoever is subscribed at that moment. It is no part of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    pub channel: Blob,
    pub payload: Blob,
}

/// Sees its own writes. What it does becomes one commit, in the order in which it was done.
pub struct Transaction<'a> {
    keyspace: &'a mut Keyspace,
    now: Now,
    changes: Changes,
    publishes: Vec<Publish>,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(keyspace: &'a mut Keyspace, now: Now) -> Transaction<'a> {
        Transaction { keyspace, now, changes: Changes::new(), publishes: Vec::new() }
    }

    pub(crate) fn into_effects(mut self) -> (Changes, Vec<Publish>) {
        (std::mem::take(&mut self.changes), std::mem::take(&mut self.publishes))
    }

    pub fn now(&self) -> Now {
        self.now
    }

    /// The revision that this transaction gets if it changes anything.
    pub fn revision(&self) -> Revision {
        self.keyspace.revision().next()
    }

    /// The last revision that this transaction reads from.
    pub fn read_revision(&self) -> Revision {
        self.keyspace.revision()
    }

    /// The entry of `key`. A key that is due is taken out, so that it is not there.
    pub fn get(&mut self, database: Database, key: &[u8]) -> Option<&Entry> {
        // Seldom: what is due was taken out before the transaction, unless there was too much of it.
        if self.keyspace.is_any_due(self.now) {
            self.expire_if_due(database, key);
        }
        self.keyspace.keys(database).get(key).map(Arc::as_ref)
    }

    /// All keys of a database, none of them due.
    pub fn keys(&mut self, database: Database) -> &Keys {
        for key in self.keyspace.due_in(database, self.now) {
            self.expire(database, &key);
        }
        self.keyspace.keys(database)
    }

    pub fn put(
        &mut self,
        database: Database,
        key: impl Into<Blob>,
        value: Value,
        deadline: Option<Deadline>,
        notices: &[Notice],
    ) {
        debug_assert!(!value.is_empty_aggregate());
        self.change(database, key.into(), Op::Put { value, deadline }, notices.into());
    }

    /// Whether it was there.
    pub fn delete(&mut self, database: Database, key: &[u8], notice: Notice) -> bool {
        let there = self.get(database, key).is_some();
        if there {
            self.change(database, key.into(), Op::Delete, smallvec![notice]);
        }
        there
    }

    /// Changes when `key` ends; the key has to be there.
    pub fn set_deadline(
        &mut self,
        database: Database,
        key: &[u8],
        deadline: Option<Deadline>,
        notice: Notice,
    ) {
        self.change(database, key.into(), Op::SetDeadline(deadline), smallvec![notice]);
    }

    /// Adds to the end of a string that is there.
    pub fn append(&mut self, database: Database, key: &[u8], tail: &[u8]) {
        self.change(database, key.into(), Op::Append(tail.into()), smallvec![Notice::Append]);
    }

    /// Changes a list, or makes one. A list that has nothing left goes, with its own `del`.
    pub fn splice(
        &mut self,
        database: Database,
        key: &[u8],
        rank: usize,
        remove: usize,
        insert: SmallVec<[Blob; 1]>,
        notices: &[Notice],
    ) {
        let op = Op::Splice { rank: rank as u64, remove: remove as u64, insert };
        self.change(database, key.into(), op, notices.into());
        let empty =
            self.keyspace.keys(database).get(key).is_some_and(|entry| entry.value.is_empty_aggregate());
        if empty {
            self.change(database, key.into(), Op::Delete, smallvec![Notice::Del]);
        }
    }

    /// Empties a database, at once and whatever its size.
    pub fn clear(&mut self, database: Database) {
        self.change(database, Blob::from(""), Op::Clear, Notices::new());
    }

    pub fn publish(&mut self, channel: Blob, payload: Blob) {
        self.publishes.push(Publish { channel, payload });
    }

    pub(crate) fn expire(&mut self, database: Database, key: &Blob) {
        self.change(database, key.clone(), Op::Delete, smallvec![Notice::Expired]);
    }

    fn expire_if_due(&mut self, database: Database, key: &[u8]) {
        let deadline = self.keyspace.keys(database).get(key).and_then(|entry| entry.deadline);
        if deadline.is_some_and(|deadline| deadline.is_due(self.now)) {
            self.expire(database, &Blob::from(key));
        }
    }

    fn change(&mut self, database: Database, key: Blob, op: Op, notices: Notices) {
        let change = Change { database, key, op, notices };
        self.keyspace.apply(&change, self.keyspace.revision().next());
        self.changes.push(change);
    }
}

impl Drop for Transaction<'_> {
    /// One that ends otherwise than by its effects ends by a panic: what it has changed is in no commit.
    fn drop(&mut self) {
        if !self.changes.is_empty() {
            self.keyspace.taint();
        }
    }
}
