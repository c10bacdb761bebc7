//! The state, and the one way in which it changes.

use std::sync::Arc;

use adsum_model::Revision;

use crate::deadlines::Deadlines;
use crate::history::History;
use crate::transaction::{Outcome, Transaction};
use crate::{
    Blob, Change, Changes, Commit, Compacted, Database, Deadline, Entry, List, Now, Op, Snapshot, Space,
    Tree, Value, limits,
};

/// The keys of one database in order.
pub type Keys = Tree<Blob, Arc<Entry>>;

pub struct Keyspace {
    users: Vec<Keys>,
    system: Keys,
    deadlines: Deadlines,
    revision: Revision,
    user_history: History,
    system_history: History,
    /// Databases that were emptied, to be freed by somebody who has the time.
    garbage: Vec<Keys>,
    tainted: bool,
}

impl Default for Keyspace {
    fn default() -> Keyspace {
        Keyspace::empty(Revision::ZERO)
    }
}

impl Keyspace {
    pub(crate) fn empty(revision: Revision) -> Keyspace {
        Keyspace {
            users: (0..Database::USERS).map(|_| Keys::default()).collect(),
            system: Keys::default(),
            deadlines: Deadlines::default(),
            revision,
            user_history: History::new(revision, limits::USER_HISTORY),
            system_history: History::new(revision, limits::SYSTEM_HISTORY),
            garbage: Vec::new(),
            tainted: false,
        }
    }

    /// Of the last commit.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    pub fn keys(&self, database: Database) -> &Keys {
        match database {
            Database::User(number) => &self.users[usize::from(number)],
            Database::System => &self.system,
        }
    }

    /// Runs `body` and commits what it did.
    pub fn transact<T>(&mut self, now: Now, body: impl FnOnce(&mut Transaction<'_>) -> T) -> Outcome<T> {
        let mut transaction = Transaction::new(self, now);
        let reply = body(&mut transaction);
        let (changes, publishes) = transaction.into_effects();
        let commit = (!changes.is_empty()).then(|| self.commit(now, changes));
        Outcome { reply, commit, publishes }
    }

    /// Takes out keys that are due, [`limits::EXPIRE_ROUND`] at most.
    pub fn expire(&mut self, now: Now) -> Option<Arc<Commit>> {
        let due: Vec<(Database, Blob)> = self
            .deadlines
            .due(now)
            .take(limits::EXPIRE_ROUND)
            .map(|(database, key)| (database, key.clone()))
            .collect();
        if due.is_empty() {
            return None;
        }
        let outcome = self.transact(now, |transaction| {
            due.iter().for_each(|(database, key)| transaction.expire(*database, key));
        });
        outcome.commit
    }

    /// Milliseconds until the next key is due; 0 when one is.
    pub fn next_deadline(&self, now: Now) -> Option<u64> {
        self.deadlines.next(now)
    }

    /// Whether any key at all is due.
    pub(crate) fn is_any_due(&self, now: Now) -> bool {
        self.deadlines.due(now).next().is_some()
    }

    /// The keys of a database that are due and still there.
    pub(crate) fn due_in(&self, database: Database, now: Now) -> Vec<Blob> {
        self.deadlines.due(now).filter(|(of, _)| *of == database).map(|(_, key)| key.clone()).collect()
    }

    /// How many keys of a database have a deadline. Takes as long as there are deadlines.
    pub fn expiring(&self, database: Database) -> usize {
        self.deadlines.count(database)
    }

    /// Whether a restart would lengthen a TTL by what has passed since the last commit.
    pub fn wants_clock_mark(&self) -> bool {
        self.deadlines.has_ticks()
    }

    /// A commit that changes nothing and marks the clock.
    pub fn mark_clock(&mut self, now: Now) -> Arc<Commit> {
        self.commit(now, Changes::new())
    }

    /// Applies a commit that was made before: read from the journal, or made elsewhere.
    pub fn replay(&mut self, commit: Commit) {
        for change in &commit.changes {
            self.apply(change, commit.revision);
        }
        self.revision = commit.revision;
        self.remember(&Arc::new(commit));
    }

    /// The commits of a space after `revision`, in order.
    pub fn after(
        &self,
        space: Space,
        revision: Revision,
    ) -> Result<impl Iterator<Item = &Arc<Commit>>, Compacted> {
        match space {
            Space::User => self.user_history.after(revision),
            Space::System => self.system_history.after(revision),
        }
    }

    /// The keyspace as it is now, for ever.
    pub fn snapshot(&self, now: Now) -> Snapshot {
        let users = self.users.iter().enumerate().map(|(n, keys)| (Database::User(n as u8), keys.clone()));
        let databases = users.chain([(Database::System, self.system.clone())]).collect();
        Snapshot { revision: self.revision, now, databases }
    }

    /// What has been emptied since the last call. Freeing a large database takes long: not for the writer.
    pub fn take_garbage(&mut self) -> Vec<Keys> {
        std::mem::take(&mut self.garbage)
    }

    /// Whether a panic has left changes that are in no commit. Nobody is to see anything of the keyspace then.
    pub fn is_tainted(&self) -> bool {
        self.tainted
    }

    pub(crate) fn taint(&mut self) {
        self.tainted = true;
    }

    /// The whole effect of one change on the state.
    pub(crate) fn apply(&mut self, change: &Change, revision: Revision) {
        let Change { database, key, .. } = change;
        match &change.op {
            Op::Put { value, deadline } => self.put(*database, key, value, *deadline, revision),
            Op::Delete => self.delete(*database, key),
            Op::SetDeadline(deadline) => self.set_deadline(*database, key, *deadline),
            Op::Append(tail) => self.append(*database, key, tail, revision),
            Op::Splice { rank, remove, insert } => {
                let (rank, remove) = (*rank as usize, *remove as usize);
                self.change_list(*database, key, revision, |list| list.splice(rank, remove, insert));
            }
            Op::Clear => self.clear(*database),
        }
    }

    pub(crate) fn put_row(&mut self, database: Database, key: Blob, entry: Entry) {
        self.deadlines.add(entry.deadline, database, &key);
        self.keys_mut(database).insert(key, Arc::new(entry));
    }

    fn commit(&mut self, now: Now, changes: Changes) -> Arc<Commit> {
        self.revision = self.revision.next();
        let commit = Arc::new(Commit { revision: self.revision, now, changes });
        self.remember(&commit);
        commit
    }

    fn remember(&mut self, commit: &Arc<Commit>) {
        let weight = |space| {
            let of_space = commit.changes.iter().filter(|change| change.database.space() == space);
            of_space.map(Change::weight).sum::<usize>()
        };
        let (user, system) = (weight(Space::User), weight(Space::System));
        if user > 0 {
            self.user_history.push(commit, user + Commit::WEIGHT);
        }
        if system > 0 {
            self.system_history.push(commit, system + Commit::WEIGHT);
        }
    }

    fn keys_mut(&mut self, database: Database) -> &mut Keys {
        match database {
            Database::User(number) => &mut self.users[usize::from(number)],
            Database::System => &mut self.system,
        }
    }

    fn put(
        &mut self,
        database: Database,
        key: &Blob,
        value: &Value,
        deadline: Option<Deadline>,
        revision: Revision,
    ) {
        let before = match self.keys_mut(database).get_mut(key) {
            Some(entry) => {
                let entry = Arc::make_mut(entry);
                let before = entry.deadline;
                *entry = Entry { value: value.clone(), modified: revision, deadline, ..*entry };
                before
            }
            None => {
                let entry = Entry { value: value.clone(), created: revision, modified: revision, deadline };
                self.keys_mut(database).insert(key.clone(), Arc::new(entry));
                None
            }
        };
        if before != deadline {
            self.deadlines.remove(before, database, key);
            self.deadlines.add(deadline, database, key);
        }
    }

    fn delete(&mut self, database: Database, key: &Blob) {
        if let Some(entry) = self.keys_mut(database).remove(key.as_slice()) {
            self.deadlines.remove(entry.deadline, database, key);
        }
    }

    fn set_deadline(&mut self, database: Database, key: &Blob, deadline: Option<Deadline>) {
        let Some(entry) = self.keys_mut(database).get_mut(key) else { return };
        let before = std::mem::replace(&mut Arc::make_mut(entry).deadline, deadline);
        self.deadlines.remove(before, database, key);
        self.deadlines.add(deadline, database, key);
    }

    fn append(&mut self, database: Database, key: &Blob, tail: &Blob, revision: Revision) {
        if let Some(entry) = self.keys_mut(database).get_mut(key) {
            let entry = Arc::make_mut(entry);
            if let Value::String(bytes) = &mut entry.value {
                *bytes = [bytes.as_slice(), tail].concat().into();
                entry.modified = revision;
            }
        }
    }

    fn change_list(
        &mut self,
        database: Database,
        key: &Blob,
        revision: Revision,
        change: impl FnOnce(&mut List),
    ) {
        if self.keys(database).get(key).is_none() {
            let value = Value::List(List::default());
            self.put(database, key, &value, None, revision);
        }
        let entry = self.keys_mut(database).get_mut(key).expect("it was just put when it was not there");
        let entry = Arc::make_mut(entry);
        if let Value::List(list) = &mut entry.value {
            change(list);
            entry.modified = revision;
        }
    }

    fn clear(&mut self, database: Database) {
        let emptied = std::mem::take(self.keys_mut(database));
        self.garbage.push(emptied);
        self.deadlines.clear(database);
    }
}

#[cfg(test)]
mod tests;
