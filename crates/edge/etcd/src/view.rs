//! What this process knows of etcd: the keyspace, and where it stands in etcd.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use adsum_keyspace::{Attempt, Change, Commit, Database, Keyspace, Now, Op, Place, Publish, Transaction};
use adsum_model::Revision;

use crate::clock::Clocks;
use crate::record::{Id, Record};

pub(crate) struct View {
    pub(crate) keyspace: Keyspace,
    pub(crate) base: Base,
    /// etcd's revision of the last event record that is in the view.
    pub(crate) applied: i64,
    /// Of that event record; none when there is none, or when it was not read.
    pub(crate) last: Option<Id>,
    /// Everything of etcd up to this revision of its is in the view.
    pub(crate) seen: i64,
    generations: BTreeMap<Database, u64>,
    /// Databases of which rows of former generations may be left.
    pub(crate) littered: BTreeSet<Database>,
    /// etcd's revision of rows that were put without a new `modified`: those whose deadline was changed last.
    marks: BTreeMap<Place, i64>,
    /// Transactions of this process under way, and by which revision of etcd they were applied.
    pending: HashMap<Id, Option<i64>>,
    /// How often the view was read anew: between two of them, events may have been missed.
    pub(crate) loads: u64,
    clocks: Clocks,
    /// Until then nothing had happened in etcd that is not in the view.
    heard: Instant,
}

/// What is added to etcd's revisions, so that they go on when etcd's begin anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) revision: u64,
    /// By which transaction of etcd it was put; 0 when it never was.
    pub(crate) put_by: i64,
}

impl Base {
    /// The public revision of one of etcd's.
    pub(crate) fn public(self, etcd: i64) -> Revision {
        Revision(self.revision + etcd.unsigned_abs())
    }
}

/// A view that was read whole, at one revision of etcd.
pub(crate) struct Loaded {
    pub(crate) keyspace: Keyspace,
    pub(crate) base: Base,
    pub(crate) applied: i64,
    pub(crate) last: Option<Id>,
    pub(crate) seen: i64,
    pub(crate) generations: BTreeMap<Database, u64>,
    pub(crate) marks: BTreeMap<Place, i64>,
}

/// What others are told of an event record that was applied.
pub(crate) struct Applied {
    pub(crate) revision: Revision,
    pub(crate) publishes: Vec<Publish>,
}

impl View {
    /// Knows nothing yet.
    pub(crate) fn new() -> View {
        View {
            keyspace: Keyspace::default(),
            base: Base::default(),
            applied: 0,
            last: None,
            seen: 0,
            generations: BTreeMap::new(),
            littered: BTreeSet::new(),
            marks: BTreeMap::new(),
            pending: HashMap::new(),
            loads: 0,
            clocks: Clocks::new(),
            heard: Instant::now(),
        }
    }

    pub(crate) fn now(&mut self) -> Now {
        self.clocks.read()
    }

    pub(crate) fn revision(&self) -> Revision {
        self.base.public(self.applied)
    }

    pub(crate) fn age(&self) -> Duration {
        self.heard.elapsed()
    }

    pub(crate) fn generation(&self, database: Database) -> u64 {
        self.generations.get(&database).copied().unwrap_or(0)
    }

    /// By which transaction of etcd the row of a key was put; 0 when there is none.
    pub(crate) fn put_by(&self, place: &Place) -> i64 {
        let Some(entry) = self.keyspace.keys(place.0).get(place.1.as_slice()) else { return 0 };
        let by_value = || entry.modified.0.saturating_sub(self.base.revision) as i64;
        self.marks.get(place).copied().unwrap_or_else(by_value)
    }

    /// Runs `body` and takes everything back. A body that panics leaves nothing behind either.
    pub(crate) fn attempt<T>(
        &mut self,
        now: Now,
        body: impl FnOnce(&mut Transaction<'_>) -> T,
    ) -> Attempt<T> {
        let keyspace = &mut self.keyspace;
        match catch_unwind(AssertUnwindSafe(|| keyspace.attempt(now, body))) {
            Ok(attempt) => attempt,
            Err(panic) => {
                self.keyspace.roll_back();
                resume_unwind(panic)
            }
        }
    }

    /// Everything up to `revision` of etcd is in the view, and was so at `asked`.
    pub(crate) fn hear(&mut self, revision: i64, asked: Instant) {
        self.seen = self.seen.max(revision);
        self.heard = self.heard.max(asked);
    }

    /// Takes notice of a transaction that is about to be sent.
    pub(crate) fn expect(&mut self, id: Id) {
        self.pending.insert(id, None);
    }

    pub(crate) fn forget(&mut self, id: &Id) {
        self.pending.remove(id);
    }

    /// By which transaction of etcd it was applied, as far as it was seen.
    pub(crate) fn fate(&self, id: &Id) -> Option<i64> {
        self.pending.get(id).copied().flatten()
    }

    /// Goes on by one event record, which `put_by` put. None when it is in the view already.
    pub(crate) fn apply(&mut self, record: Record, put_by: i64) -> Option<Applied> {
        if put_by <= self.applied {
            return None;
        }
        let (now, revision) = (self.now(), self.base.public(put_by));
        self.last = Some(record.id);
        if let Some(fate) = self.pending.get_mut(&record.id) {
            *fate = Some(put_by);
        }
        let publishes = record.publishes.clone();
        let commit = record.into_commit(revision, now);
        let touched = touched(&commit.changes);
        self.turn_generations(&commit);
        self.keyspace.replay(commit);
        touched.into_iter().for_each(|place| self.mark(place, put_by));
        (self.applied, self.seen) = (put_by, self.seen.max(put_by));
        self.let_go_of_garbage();
        Some(Applied { revision, publishes })
    }

    /// Begins anew. The revision must not be before that of the view.
    pub(crate) fn replace(&mut self, loaded: Loaded) {
        let Loaded { keyspace, base, applied, last, seen, generations, marks } = loaded;
        self.keyspace = keyspace;
        self.keyspace.leave_expiry_to_others();
        (self.base, self.applied, self.last, self.seen) = (base, applied, last, seen);
        self.littered = generations.keys().copied().collect();
        (self.generations, self.marks) = (generations, marks);
        self.loads += 1;
        self.heard = Instant::now();
    }

    /// Freeing a large database takes long: not under the lock.
    fn let_go_of_garbage(&mut self) {
        let garbage = self.keyspace.take_garbage();
        if !garbage.is_empty() {
            std::thread::spawn(move || drop(garbage));
        }
    }

    /// One transaction empties a database once, however often it says so.
    fn turn_generations(&mut self, commit: &Commit) {
        let cleared = commit.changes.iter().filter(|change| change.op == Op::Clear);
        for database in cleared.map(|change| change.database).collect::<BTreeSet<_>>() {
            *self.generations.entry(database).or_default() += 1;
            self.littered.insert(database);
            self.marks.retain(|place, _| place.0 != database);
        }
    }

    fn mark(&mut self, place: Place, put_by: i64) {
        let entry = self.keyspace.keys(place.0).get(place.1.as_slice());
        match entry {
            Some(entry) if entry.modified != self.base.public(put_by) => {
                self.marks.insert(place, put_by);
            }
            Some(_) | None => {
                self.marks.remove(&place);
            }
        }
    }
}

/// The keys that are changed.
pub(crate) fn touched(changes: &[Change]) -> BTreeSet<Place> {
    let keys = changes.iter().filter(|change| change.op != Op::Clear);
    keys.map(|change| (change.database, change.key.clone())).collect()
}
