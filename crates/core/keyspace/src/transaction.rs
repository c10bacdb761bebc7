//! A transaction: reads of one moment, and the changes that follow from them.

use std::sync::Arc;

use adsum_model::Revision;
use smallvec::{SmallVec, smallvec};

use crate::draft::Draft;
use crate::state::{Applied, State};
use crate::{
    Blob, Change, Changes, Commit, Database, Deadline, Edits, Entry, Keys, Notice, Notices, Now, Op, Reads,
    Value, limits, switch,
};

/// What came of a transaction. Nothing of it may leave the process before `commit` is durable.
#[derive(Debug)]
pub struct Outcome<T> {
    pub reply: T,
    /// None when nothing was changed.
    pub commit: Option<Arc<Commit>>,
    /// Which of the changes made a key of a user that was not there, in order. Empty unless [`Keyspace::tell_made`] has
    /// asked for it.
    ///
    /// [`Keyspace::tell_made`]: crate::Keyspace::tell_made
    pub made: Vec<usize>,
    pub publishes: Vec<Publish>,
}

/// What a transaction would do, on condition that what it has read still holds.
#[derive(Debug)]
pub struct Attempt<T> {
    pub reply: T,
    pub changes: Changes,
    pub publishes: Vec<Publish>,
    pub reads: Reads,
    /// As of which it has read.
    pub revision: Revision,
}

/// More effects than one transaction may have; none of them is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the transaction changes {bytes} bytes, over the limit of {}: split it into smaller ones",
    crate::limits::TRANSACTION
)]
pub struct TooBig {
    pub bytes: usize,
}

/// A message for whoever is subscribed at that moment. It is no part of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    pub to: Audience,
    pub channel: Blob,
    pub payload: Blob,
    /// How many changes of its transaction came before it.
    pub behind: usize,
}

/// Whose channel it is that a message goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Of all, and of those who have a pattern that matches it.
    Channel,
    Shard,
}

impl Publish {
    /// Bytes that it takes, roughly: what the limit of a transaction counts.
    pub fn effect(&self) -> usize {
        size_of::<Publish>() + self.channel.len() + self.payload.len()
    }
}

/// Sees its own writes. What it does becomes one commit, in the order in which it was done.
pub struct Transaction<'a> {
    state: &'a mut State,
    draft: &'a mut Draft,
    revision: Revision,
    now: Now,
    /// Whether keys that are due go here, or wherever somebody else lets them go.
    expires: bool,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(
        state: &'a mut State,
        draft: &'a mut Draft,
        revision: Revision,
        now: Now,
        expires: bool,
    ) -> Transaction<'a> {
        Transaction { state, draft, revision, now, expires }
    }

    pub fn now(&self) -> Now {
        self.now
    }

    /// The revision that this transaction gets if it changes anything. The embedded engine alone knows it beforehand.
    pub fn revision(&self) -> Revision {
        self.revision.next()
    }

    /// The last revision that this transaction reads from.
    pub fn read_revision(&self) -> Revision {
        self.revision
    }

    /// The entry of `key`. A key that is due is taken out, so that it is not there.
    pub fn get(&mut self, database: Database, key: &[u8]) -> Option<&Entry> {
        // Seldom: what is due was taken out before the transaction, unless there was too much of it.
        if self.expires && self.state.may_be_due(self.now) {
            self.expire_if_due(database, key);
        }
        if let Some(reads) = &mut self.draft.reads {
            reads.keys.insert((database, key.into()));
        }
        self.state.find(database, key).map(Arc::as_ref)
    }

    /// All keys of a database. Of very many that are due at once some may still be there, as long as nobody has been
    /// told that they have gone.
    pub fn keys(&mut self, database: Database) -> &Keys {
        self.keys_under(database, b"")
    }

    /// All keys of a database, of which only those that begin with `prefix` are looked at.
    pub fn keys_under(&mut self, database: Database, prefix: &[u8]) -> &Keys {
        if self.expires && self.state.may_be_due(self.now) {
            let due = self.state.shelf(database).deadlines.due(self.now);
            let due = due.take(limits::EXPIRE_ROUND).cloned().collect::<Vec<_>>();
            due.iter().for_each(|key| self.expire(database, key));
        }
        if let Some(reads) = &mut self.draft.reads {
            reads.ranges.insert((database, prefix.into()));
        }
        &self.state.shelf(database).keys
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
        self.change(database, key.into(), Op::Put { value, deadline, copy_of: None }, notices.into());
    }

    /// Puts what `from` holds, deadline included, at `to`, which is a new key then, whatever it was before: a lock is not
    /// held under its old fence any more. Whether there was anything. However large it is, the commit has the name of the
    /// key that it is of.
    pub fn copy(&mut self, from: (Database, &[u8]), to: (Database, &[u8]), notice: Notice) -> bool {
        let Some(put) = self.copied(from) else { return false };
        self.change(to.0, to.1.into(), put, smallvec![notice]);
        true
    }

    /// The same, and `from` goes. `notices`: of its going, and of its coming.
    pub fn rename(
        &mut self,
        from: (Database, &[u8]),
        to: (Database, &[u8]),
        notices: (Notice, Notice),
    ) -> bool {
        let Some(put) = self.copied(from) else { return false };
        self.change(from.0, from.1.into(), Op::Delete, smallvec![notices.0]);
        self.change(to.0, to.1.into(), put, smallvec![notices.1]);
        true
    }

    fn copied(&mut self, (database, key): (Database, &[u8])) -> Option<Op> {
        let entry = self.get(database, key)?;
        let (value, deadline) = (entry.value.clone(), entry.deadline);
        Some(Op::Put { value, deadline, copy_of: Some(Box::new((database, Blob::from(key)))) })
    }

    /// Whether it was there.
    pub fn delete(&mut self, database: Database, key: &[u8], notice: Notice) -> bool {
        self.delete_with(database, key, &[notice])
    }

    /// The same with more than one event.
    pub fn delete_with(&mut self, database: Database, key: &[u8], notices: &[Notice]) -> bool {
        let there = self.get(database, key).is_some();
        if there {
            self.change(database, key.into(), Op::Delete, notices.into());
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

    /// Marks a string that is there as modified: what others keep beside it has changed.
    pub fn touch(&mut self, database: Database, key: &[u8], notice: Notice) {
        self.change(database, key.into(), Op::Append("".into()), smallvec![notice]);
    }

    /// Takes back all that was done so far, for who does all of several things or none of them.
    pub fn take_back(&mut self) {
        let (changes, undos) =
            (std::mem::take(&mut self.draft.changes), std::mem::take(&mut self.draft.undos));
        for (change, undo) in changes.iter().zip(undos).rev() {
            self.state.revert(change, undo);
        }
        self.draft.publishes.clear();
        self.draft.bytes = 0;
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
        self.change_aggregate(database, key, op, notices);
    }

    /// Changes elements of any other aggregate, or makes one. One that has nothing left goes, with its own `del`; a
    /// stream stays. Returns how many elements are there by a name that none had before, but for those of a stream.
    pub fn edit(&mut self, database: Database, key: &[u8], edits: Edits, notices: &[Notice]) -> usize {
        self.change_aggregate(database, key, Op::Edit(edits), notices)
    }

    fn change_aggregate(&mut self, database: Database, key: &[u8], op: Op, notices: &[Notice]) -> usize {
        let (emptied, added) = self.change(database, key.into(), op, notices.into());
        if emptied {
            self.change(database, key.into(), Op::Delete, smallvec![Notice::Del]);
        }
        added
    }

    /// Empties a database, at once and whatever its size.
    pub fn clear(&mut self, database: Database) {
        self.change(database, Blob::from(""), Op::Clear, Notices::new());
    }

    pub fn publish(&mut self, channel: Blob, payload: Blob) {
        self.publish_to(Audience::Channel, channel, payload);
    }

    pub fn publish_to(&mut self, to: Audience, channel: Blob, payload: Blob) {
        let publish = Publish { to, channel, payload, behind: self.draft.changes.len() };
        self.draft.bytes += publish.effect();
        self.draft.publishes.push(publish);
    }

    /// Lets a key go because its time is over, and its dead man's switch fire. Nothing happens when it is not there.
    pub fn expire(&mut self, database: Database, key: &Blob) {
        let Some(entry) = self.state.shelf(database).keys.get(key) else { return };
        let created = entry.created;
        self.change(database, key.clone(), Op::Delete, smallvec![Notice::Expired]);
        self.fire(database, key, created);
    }

    fn fire(&mut self, database: Database, key: &Blob, created: Revision) {
        let Some(switch) = switch::key_of(database, key) else { return };
        if let Some(reads) = &mut self.draft.reads {
            reads.keys.insert((Database::System, switch.clone()));
        }
        let action = self.state.shelf(Database::System).keys.get(switch.as_slice());
        let action = action.map(|entry| entry.value.clone());
        if let (Some(action), Some(firing)) = (action, switch::firing_of(database, key, created)) {
            self.put(Database::System, firing, action, None, &[Notice::Set]);
        }
    }

    fn expire_if_due(&mut self, database: Database, key: &[u8]) {
        let deadline = self.state.shelf(database).keys.find(key).and_then(|entry| entry.deadline);
        if deadline.is_some_and(|deadline| deadline.is_due(self.now)) {
            self.expire(database, &Blob::from(key));
        }
    }

    /// Whether an aggregate has nothing left, and how many elements it has by new names.
    fn change(&mut self, database: Database, key: Blob, op: Op, notices: Notices) -> (bool, usize) {
        let change = Change { database, key, op, notices };
        let Applied { undo, emptied, added } = self.state.apply(&change, self.revision.next());
        self.draft.push(change, undo);
        (emptied, added)
    }
}
