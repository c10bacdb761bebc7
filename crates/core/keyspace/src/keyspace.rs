//! The state with its past, and the one way in which it goes on.

use std::hint::black_box;
use std::mem::{swap, take};
use std::sync::Arc;

use adsum_model::Revision;

use crate::draft::{Draft, Undos};
use crate::history::{History, Past};
use crate::spares::Spares;
use crate::state::{State, Undo};
use crate::transaction::{Attempt, Outcome, TooBig, Transaction};
use crate::{
    Blob, Change, Commit, Compacted, Database, Entry, EntryAt, Garbage, Now, Op, Place, Reads, Snapshot,
    Space, Tree, Value, limits,
};

/// The keys of one database in order.
pub type Keys = Tree<Blob, Arc<Entry>>;

pub struct Keyspace {
    state: State,
    revision: Revision,
    user_history: History,
    system_history: History,
    /// What the transaction that is under way has done.
    draft: Draft,
    /// Whether keys go when they are due, or when a commit that is replayed says so.
    expires: bool,
    /// Whether somebody wants to know which keys are new.
    tells_made: bool,
    /// To be freed by somebody who has the time.
    garbage: Vec<Garbage>,
    spares: Spares<Commit>,
}

impl Default for Keyspace {
    fn default() -> Keyspace {
        Keyspace::empty(Revision::ZERO)
    }
}

/// Reading.
impl Keyspace {
    pub(crate) fn empty(revision: Revision) -> Keyspace {
        Keyspace {
            state: State::default(),
            revision,
            user_history: History::new(revision, limits::USER_HISTORY),
            system_history: History::new(revision, limits::SYSTEM_HISTORY),
            draft: Draft::default(),
            expires: true,
            tells_made: false,
            garbage: Vec::new(),
            spares: Spares::default(),
        }
    }

    /// Of the last commit.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    pub fn keys(&self, database: Database) -> &Keys {
        &self.state.shelf(database).keys
    }

    /// Has fetched what lookups of these keys will read: for who knows several before the first is run. It may be asked for
    /// too much or too little.
    pub fn expect(&self, database: Database, keys: &[&[u8]]) {
        for entry in self.keys(database).fetch(keys) {
            black_box(Arc::strong_count(entry));
        }
    }

    /// The same for elements of one key, by their names.
    pub fn expect_elements(&self, database: Database, key: &[u8], names: &[&[u8]]) {
        match self.keys(database).find(key).map(|entry| &entry.value) {
            Some(Value::Hash(hash)) => hash.fetch(names),
            Some(Value::Set(set)) => set.fetch(names),
            Some(Value::SortedSet(set)) => set.fetch(names),
            Some(Value::String(_) | Value::List(_) | Value::Stream(_)) | None => {}
        }
    }

    /// The same for what so many writes will make the history forget.
    pub fn expect_writes(&self, writes: usize) {
        self.user_history.expect(writes);
    }

    /// Milliseconds until a key may be due; 0 when one is.
    pub fn next_deadline(&self, now: Now) -> Option<u64> {
        self.state.next().rest(now)
    }

    /// How many keys of a database have a deadline.
    pub fn expiring(&self, database: Database) -> usize {
        self.state.shelf(database).deadlines.len()
    }

    /// Keys that are due and still there.
    pub fn due(&self, now: Now) -> impl Iterator<Item = (Database, &Blob)> {
        self.state.due(now)
    }

    /// Whether a restart would lengthen a TTL by what has passed since the last commit.
    pub fn wants_clock_mark(&self) -> bool {
        self.state.has_ticks()
    }

    /// The commits of a space after `revision`, in order.
    pub fn after(
        &self,
        space: Space,
        revision: Revision,
    ) -> Result<impl DoubleEndedIterator<Item = &Arc<Commit>>, Compacted> {
        match space {
            Space::User => self.user_history.after(revision),
            Space::System => self.system_history.after(revision),
        }
    }

    /// What a user's key held at `revision`, as far as the history reaches.
    pub fn entry_at(&self, place: &Place, revision: Revision) -> Result<Option<Arc<Entry>>, Compacted> {
        self.step_back(place, self.entry_now(place), revision, usize::MAX).map(|at| at.entry)
    }

    /// What a key holds.
    pub fn entry_now(&self, place: &Place) -> EntryAt {
        let entry = self.keys(place.0).get(place.1.as_slice()).cloned();
        EntryAt { entry, revision: self.revision }
    }

    /// A part of [`Keyspace::entry_at`], for whoever must not take long: from what a key held to what it held so many
    /// commits before, but not before `revision`.
    pub fn step_back(
        &self,
        place: &Place,
        at: EntryAt,
        revision: Revision,
        commits: usize,
    ) -> Result<EntryAt, Compacted> {
        match place.0.space() {
            Space::User => self.user_history.step_back(place, at, revision, commits),
            Space::System => self.system_history.step_back(place, at, revision, commits),
        }
    }

    /// The keyspace as it is now, for ever.
    pub fn snapshot(&self, now: Now) -> Snapshot {
        let databases =
            self.state.shelves().map(|(database, shelf)| (database, shelf.keys.clone())).collect();
        Snapshot { revision: self.revision, now, databases }
    }
}

/// Changing.
impl Keyspace {
    /// Runs `body` and commits what it did.
    pub fn transact<T>(
        &mut self,
        now: Now,
        body: impl FnOnce(&mut Transaction<'_>) -> T,
    ) -> Result<Outcome<T>, TooBig> {
        let reply = self.step(now, body);
        let Outcome { reply: (), commit, made, publishes } = self.finish(now)?;
        Ok(Outcome { reply, commit, made, publishes })
    }

    /// Runs a part of a transaction, which [`Keyspace::finish`] or [`Keyspace::roll_back`] ends.
    pub fn step<T>(&mut self, now: Now, body: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
        let Keyspace { state, draft, revision, expires, .. } = self;
        body(&mut Transaction::new(state, draft, *revision, now, *expires))
    }

    /// Commits what was done since the last end of a transaction. Too much of it is taken back instead.
    pub fn finish(&mut self, now: Now) -> Result<Outcome<()>, TooBig> {
        let bytes = self.draft.bytes;
        if bytes == 0 {
            // Whatever is done has an effect that counts.
            return Ok(Outcome { reply: (), commit: None, made: Vec::new(), publishes: Vec::new() });
        }
        if bytes > limits::TRANSACTION {
            self.roll_back();
            return Err(TooBig { bytes });
        }
        let Draft { changes, undos, publishes, bytes, reads } = &mut self.draft;
        (*bytes, *reads) = (0, None);
        let publishes = take(publishes);
        // Of the undos, before any of them is lost.
        let made = if self.tells_made { made_by(changes, undos) } else { Vec::new() };
        let commit = (!changes.is_empty()).then(|| self.commit(now));
        Ok(Outcome { reply: (), commit, made, publishes })
    }

    /// Takes back what was done since the last end of a transaction.
    pub fn roll_back(&mut self) {
        let Draft { changes, undos, .. } = std::mem::take(&mut self.draft);
        for (change, undo) in changes.iter().zip(undos).rev() {
            self.state.revert(change, undo);
        }
    }

    /// Runs `body`, takes back what it did, and says what that was and on what it depends: for an engine that decides
    /// elsewhere whether it holds.
    pub fn attempt<T>(&mut self, now: Now, body: impl FnOnce(&mut Transaction<'_>) -> T) -> Attempt<T> {
        self.draft.reads = Some(Reads::default());
        let reply = self.step(now, body);
        let reads = self.draft.reads.take().unwrap_or_default();
        let publishes = std::mem::take(&mut self.draft.publishes);
        let changes = self.draft.changes.clone();
        self.roll_back();
        Attempt { reply, changes, publishes, reads, revision: self.revision }
    }

    /// Takes out keys that are due: a round, bounded in keys and in bytes.
    pub fn expire(&mut self, now: Now) -> Option<Arc<Commit>> {
        if !self.expires || !self.state.may_be_due(now) {
            return None;
        }
        let due: Vec<(Database, Blob)> = self
            .state
            .due(now)
            .take(limits::EXPIRE_ROUND)
            .map(|(database, key)| (database, key.clone()))
            .collect();
        for (database, key) in &due {
            self.step(now, |transaction| transaction.expire(*database, key));
            if self.draft.bytes > limits::EXPIRE_BYTES {
                break;
            }
        }
        self.state.look_ahead();
        self.finish(now).expect("a round ends far below the limit").commit
    }

    /// Bytes of effects of the transaction that is under way, as its limit counts them.
    pub fn under_way(&self) -> usize {
        self.draft.bytes
    }

    /// From now on keys go only by commits that are replayed: somebody else watches the clock.
    pub fn leave_expiry_to_others(&mut self) {
        self.expires = false;
    }

    /// Whether [`Outcome::made`] is to be told from now on.
    pub fn tell_made(&mut self, tells: bool) {
        self.tells_made = tells;
    }

    /// Looks when the next key is really due, which [`Keyspace::next_deadline`] then says. `expire` does so by itself;
    /// this is for who leaves expiry to others, and is one of them.
    pub fn look_ahead(&mut self) {
        self.state.look_ahead();
    }

    /// A commit that changes nothing and marks the clock.
    pub fn mark_clock(&mut self, now: Now) -> Arc<Commit> {
        self.commit(now)
    }

    /// Applies a commit that was made before: read from the journal, or made elsewhere.
    pub fn replay(&mut self, mut commit: Commit) {
        let mut undos = Undos::new();
        for at in 0..commit.changes.len() {
            let (before, rest) = commit.changes.split_at_mut(at);
            self.fill_in(&mut rest[0], before, &undos);
            undos.push(self.state.apply(&rest[0], commit.revision).undo);
        }
        self.revision = commit.revision;
        self.remember(&Arc::new(commit), undos);
    }

    /// Goes on behind `revision`. Whoever has seen a revision in between has seen what is lost, and is told so.
    pub fn skip_to(&mut self, revision: Revision) {
        if revision > self.revision {
            self.user_history.skip(self.revision, revision);
            self.system_history.skip(self.revision, revision);
            self.revision = revision;
        }
    }

    /// What is no longer needed since the last call.
    pub fn take_garbage(&mut self) -> Vec<Garbage> {
        std::mem::take(&mut self.garbage)
    }

    /// Whether a panic has left changes that are in no commit. Nobody is to see anything of the keyspace then.
    pub fn is_tainted(&self) -> bool {
        !self.draft.changes.is_empty()
    }

    pub(crate) fn put_row(&mut self, database: Database, key: &Blob, entry: Entry) {
        self.state.put_entry(database, key, Arc::new(entry));
    }

    /// Gives a copy its value: that of the key that it is of, which one of the changes before may have deleted.
    fn fill_in(&self, change: &mut Change, before: &[Change], undos: &[Undo]) {
        let Op::Put { value, copy_of: Some(place), .. } = &mut change.op else { return };
        let deleted = || {
            let mut gone = before.iter().zip(undos).rev().filter(|(change, _)| change.is_of(place));
            gone.find_map(|(_, undo)| match undo {
                Undo::Entry(entry) => entry.as_ref(),
                _ => None,
            })
        };
        if let Some(entry) = self.keys(place.0).get(place.1.as_slice()).or_else(deleted) {
            *value = entry.value.clone();
        }
    }

    /// What was drafted, or nothing.
    fn commit(&mut self, now: Now) -> Arc<Commit> {
        self.revision = self.revision.next();
        let Keyspace { draft, spares, revision, .. } = self;
        let commit = spares.fill(|commit| {
            (commit.revision, commit.now) = (*revision, now);
            swap(&mut commit.changes, &mut draft.changes);
        });
        let undos = take(&mut draft.undos);
        self.remember(&commit, undos);
        commit
    }

    fn remember(&mut self, commit: &Arc<Commit>, mut undos: Undos) {
        let (mut user, mut system) = (0, 0);
        for change in &commit.changes {
            match change.database.space() {
                Space::User => user += change.weight(),
                Space::System => system += change.weight(),
            }
        }
        let kept = self.let_go_of_large(&mut undos);
        let Keyspace { state, garbage, spares, user_history, system_history, .. } = self;
        let mut let_go = |Past { commit, undos, weight }| {
            if weight > limits::FREED_ELSEWHERE {
                return garbage.push(Garbage::of_past(commit, undos));
            }
            spares.keep(commit);
            if let Some(mut undos) = undos {
                undos.iter_mut().for_each(|undo| state.keep(undo));
            }
        };
        if user > 0 {
            user_history.push(commit, Some(undos), user + kept + Commit::WEIGHT, &mut let_go);
        }
        if system > 0 {
            // Nobody asks what a key of our own held.
            system_history.push(commit, None, system + Commit::WEIGHT, &mut let_go);
        }
    }

    /// What is large is not kept for those who want to read the past. Returns the bytes of what is.
    fn let_go_of_large(&mut self, undos: &mut Undos) -> usize {
        let (mut bytes, mut kept) = (0_usize, 0);
        for undo in undos {
            let weight = undo.weight();
            bytes = bytes.saturating_add(weight);
            if bytes > limits::UNDO_KEPT && weight > size_of::<Undo>() {
                self.garbage.push(Garbage::of_undo(std::mem::replace(undo, Undo::Lost)));
                kept += size_of::<Undo>();
            } else {
                kept += weight;
            }
        }
        kept
    }
}

/// Which changes made a key that was not there: no other one is undone by there being none, but for deleting nothing.
fn made_by(changes: &[Change], undos: &[Undo]) -> Vec<usize> {
    let makes = |(_, (change, undo)): &(usize, (&Change, &Undo))| {
        change.database.space() == Space::User && matches!(undo, Undo::Entry(None)) && change.op != Op::Delete
    };
    changes.iter().zip(undos).enumerate().filter(makes).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests;
