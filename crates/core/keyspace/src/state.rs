//! The keys of all databases, and what one change does to them: forwards, and back again.

use std::sync::Arc;

use adsum_model::Revision;
use smallvec::SmallVec;

use crate::deadlines::{Deadlines, Next};
use crate::sought::Sought;
use crate::spares::Spares;
use crate::tree::Search;
use crate::{Blob, Change, Database, Deadline, Edits, Entry, Keys, List, Now, Op, Value, limits};

/// One database.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) keys: Keys,
    pub(crate) deadlines: Deadlines,
}

pub(crate) struct State {
    users: Vec<Shelf>,
    system: Shelf,
    /// No key is due before it; it may have been earlier than any is by now.
    next: Next,
    spares: Spares<Entry>,
    /// What was looked for last, unless anything has been changed since.
    sought: Option<Sought>,
}

/// What a change has taken away: enough to have it back.
pub(crate) enum Undo {
    /// The key as it was, or that it was not there.
    Entry(Option<Arc<Entry>>),
    Deadline(Option<Deadline>),
    /// A string was this long.
    Append {
        length: usize,
        modified: Revision,
    },
    /// These elements were taken out of a list, where that many were put in.
    Splice {
        removed: SmallVec<[Blob; 1]>,
        inserted: usize,
        modified: Revision,
    },
    /// These take back what was done to another aggregate.
    Edited {
        back: Edits,
        modified: Revision,
    },
    /// The whole database.
    Cleared(Box<Shelf>),
    /// There was nothing to change.
    Nothing,
    /// It was too large to be kept beyond the transaction.
    Lost,
}

/// What came of a change.
pub(crate) struct Applied {
    pub(crate) undo: Undo,
    /// Whether an aggregate that was changed has nothing left.
    pub(crate) emptied: bool,
    /// How many elements are there by a name that none had before.
    pub(crate) added: usize,
}

impl From<Undo> for Applied {
    fn from(undo: Undo) -> Applied {
        Applied { undo, emptied: false, added: 0 }
    }
}

impl Default for State {
    fn default() -> State {
        State {
            users: (0..Database::USERS).map(|_| Shelf::default()).collect(),
            system: Shelf::default(),
            next: Next::NEVER,
            spares: Spares::default(),
            sought: None,
        }
    }
}

fn shelf_of<'s>(users: &'s [Shelf], system: &'s Shelf, database: Database) -> &'s Shelf {
    match database {
        Database::User(number) => &users[usize::from(number)],
        Database::System => system,
    }
}

impl State {
    pub(crate) fn shelf(&self, database: Database) -> &Shelf {
        shelf_of(&self.users, &self.system, database)
    }

    /// The way to every change, before which it has to be forgotten where anything is.
    fn shelf_mut(&mut self, database: Database) -> &mut Shelf {
        self.sought = None;
        match database {
            Database::User(number) => &mut self.users[usize::from(number)],
            Database::System => &mut self.system,
        }
    }

    /// The entry of a key, and for whoever changes it next, where it is.
    pub(crate) fn find(&mut self, database: Database, key: &[u8]) -> Option<&Arc<Entry>> {
        let State { users, system, sought, .. } = self;
        let keys = &shelf_of(users, system, database).keys;
        let Some(key) = Blob::short(key) else { return keys.get(key) };
        if let Some(search) = sought.as_ref().and_then(|sought| sought.of(database, &key)) {
            return keys.get_again(&key, search);
        }
        let (entry, search) = keys.search(&key);
        *sought = Some(Sought::new(database, key, search));
        entry
    }

    /// Every database with its keys.
    pub(crate) fn shelves(&self) -> impl Iterator<Item = (Database, &Shelf)> {
        let users = (0..).map(Database::User).zip(&self.users);
        users.chain([(Database::System, &self.system)])
    }

    /// Whether any key can be due.
    pub(crate) fn may_be_due(&self, now: Now) -> bool {
        self.next.has_come(now)
    }

    /// Keys that are due.
    pub(crate) fn due(&self, now: Now) -> impl Iterator<Item = (Database, &Blob)> {
        self.shelves()
            .flat_map(move |(database, shelf)| shelf.deadlines.due(now).map(move |key| (database, key)))
    }

    /// When the next key may be due.
    pub(crate) fn next(&self) -> Next {
        self.next
    }

    /// Looks when the next key is really due.
    pub(crate) fn look_ahead(&mut self) {
        self.next = self.shelves().fold(Next::NEVER, |next, (_, shelf)| next.or(shelf.deadlines.next()));
    }

    pub(crate) fn has_ticks(&self) -> bool {
        self.shelves().any(|(_, shelf)| shelf.deadlines.has_ticks())
    }

    /// The whole effect of one change on the state, and how to take it back.
    pub(crate) fn apply(&mut self, change: &Change, revision: Revision) -> Applied {
        let Change { database, key, .. } = change;
        let search =
            self.sought.as_ref().and_then(|sought| sought.of_change(change)).unwrap_or(Search::Untold);
        let undo = match &change.op {
            Op::Put { value, deadline, copy_of } => {
                self.next = self.next.or(Next::of(*deadline));
                let entry = self.spares.fill(|entry| {
                    entry.value = value.clone();
                    (entry.created, entry.modified, entry.deadline) = (revision, revision, *deadline);
                });
                let shelf = self.shelf_mut(*database);
                match copy_of {
                    None => shelf.put(key, entry, search),
                    Some(_) => shelf.put_anew(key, entry),
                }
            }
            Op::Delete => Undo::Entry(self.shelf_mut(*database).delete(key, search)),
            Op::SetDeadline(deadline) => {
                self.next = self.next.or(Next::of(*deadline));
                self.shelf_mut(*database).set_deadline(key, *deadline, search)
            }
            Op::Append(tail) => self.shelf_mut(*database).append(key, tail, revision, search),
            Op::Splice { rank, remove, insert } => {
                let place = (*rank as usize, *remove as usize);
                return self.shelf_mut(*database).splice((key, search), place, insert, revision);
            }
            Op::Edit(edits) => return self.shelf_mut(*database).edit(key, edits, revision, search),
            Op::Clear => Undo::Cleared(Box::new(std::mem::take(self.shelf_mut(*database)))),
        };
        undo.into()
    }

    /// Takes `change`, the last one that was applied, back.
    pub(crate) fn revert(&mut self, change: &Change, undo: Undo) {
        match undo {
            Undo::Cleared(shelf) => *self.shelf_mut(change.database) = *shelf,
            Undo::Entry(None) => drop(self.shelf_mut(change.database).delete(&change.key, Search::Untold)),
            undo => {
                let Some(mut entry) = self.shelf(change.database).keys.get(&change.key).cloned() else {
                    return self.put_back(change, undo);
                };
                undo.apply(&change.op, &mut entry);
                self.put_entry(change.database, &change.key, entry);
            }
        }
    }

    /// A key that the change had deleted.
    fn put_back(&mut self, change: &Change, undo: Undo) {
        if let Undo::Entry(Some(entry)) = undo {
            self.put_entry(change.database, &change.key, entry);
        }
    }

    /// Keeps the place of an entry that is needed no more.
    pub(crate) fn keep(&mut self, undo: &mut Undo) {
        if let Undo::Entry(entry) = undo
            && let Some(entry) = entry.take()
        {
            self.spares.keep(entry);
        }
    }

    pub(crate) fn put_entry(&mut self, database: Database, key: &Blob, entry: Arc<Entry>) {
        self.next = self.next.or(Next::of(entry.deadline));
        self.shelf_mut(database).set(key, entry);
    }
}

impl Undo {
    /// Makes of a key what it was before the change that `op` is of; the key is there before and after it.
    pub(crate) fn apply(&self, op: &Op, entry: &mut Arc<Entry>) {
        match self {
            Undo::Entry(Some(before)) => *entry = before.clone(),
            Undo::Deadline(deadline) => Arc::make_mut(entry).deadline = *deadline,
            Undo::Append { length, modified } => {
                let entry = Arc::make_mut(entry);
                if let Value::String(bytes) = &mut entry.value {
                    *bytes = bytes[..(*length).min(bytes.len())].into();
                }
                entry.modified = *modified;
            }
            Undo::Splice { removed, inserted, modified } => {
                let entry = Arc::make_mut(entry);
                if let (Value::List(list), Op::Splice { rank, .. }) = (&mut entry.value, op) {
                    let rank = (*rank as usize).min(list.len() - inserted);
                    list.splice(rank, *inserted, removed);
                }
                entry.modified = *modified;
            }
            Undo::Edited { back, modified } => {
                let entry = Arc::make_mut(entry);
                back.apply(&mut entry.value);
                entry.modified = *modified;
            }
            Undo::Entry(None) | Undo::Cleared(_) | Undo::Nothing | Undo::Lost => {}
        }
    }

    /// Bytes that it keeps in memory, roughly.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Undo>()
            + match self {
                Undo::Entry(Some(entry)) => {
                    size_of::<Entry>() + 2 * size_of::<usize>() + entry.value.weight()
                }
                Undo::Splice { removed, .. } => removed.iter().map(|element| element.len() + 32).sum(),
                Undo::Edited { back, .. } => back.weight(),
                Undo::Cleared(shelf) => shelf.weight(),
                Undo::Entry(None) | Undo::Deadline(_) | Undo::Append { .. } => 0,
                Undo::Nothing | Undo::Lost => 0,
            }
    }
}

impl Shelf {
    /// Bytes that it takes, roughly; of a large one only that it is large, since asking takes as long as it has keys.
    fn weight(&self) -> usize {
        /// Of a small key, in bytes.
        const KEY: usize = 150;
        if self.keys.len() * KEY > limits::UNDO_KEPT {
            return usize::MAX / 2;
        }
        self.keys.iter().map(|(_, entry)| KEY + entry.value.weight()).sum()
    }

    /// Puts an entry in place of the one that is there, which it returns.
    fn set(&mut self, key: &Blob, entry: Arc<Entry>) -> Option<Arc<Entry>> {
        let deadline = entry.deadline;
        let before = self.keys.insert(key.clone(), entry);
        self.move_deadline(key, before.as_ref().and_then(|before| before.deadline), deadline);
        before
    }

    fn delete(&mut self, key: &Blob, search: Search) -> Option<Arc<Entry>> {
        let before = self.keys.remove_again(key, search)?;
        self.move_deadline(key, before.deadline, None);
        Some(before)
    }

    fn move_deadline(&mut self, key: &Blob, from: Option<Deadline>, to: Option<Deadline>) {
        if from != to {
            self.deadlines.remove(from, key);
            self.deadlines.add(to, key);
        }
    }

    /// As if the key had not been there.
    fn put_anew(&mut self, key: &Blob, entry: Arc<Entry>) -> Undo {
        Undo::Entry(self.set(key, entry))
    }

    /// Nobody else holds the entry yet.
    fn put(&mut self, key: &Blob, mut entry: Arc<Entry>, search: Search) -> Undo {
        let Some(slot) = self.keys.get_mut_again(key, search) else { return self.put_anew(key, entry) };
        Arc::make_mut(&mut entry).created = slot.created;
        let deadline = entry.deadline;
        let before = std::mem::replace(slot, entry);
        self.move_deadline(key, before.deadline, deadline);
        Undo::Entry(Some(before))
    }

    fn set_deadline(&mut self, key: &Blob, deadline: Option<Deadline>, search: Search) -> Undo {
        let Some(slot) = self.keys.get_mut_again(key, search) else { return Undo::Nothing };
        let before = std::mem::replace(&mut Arc::make_mut(slot).deadline, deadline);
        self.move_deadline(key, before, deadline);
        Undo::Deadline(before)
    }

    fn append(&mut self, key: &Blob, tail: &Blob, revision: Revision, search: Search) -> Undo {
        let Some(slot) = self.keys.get_mut_again(key, search) else { return Undo::Nothing };
        let entry = Arc::make_mut(slot);
        let Value::String(bytes) = &mut entry.value else { return Undo::Nothing };
        let length = bytes.len();
        *bytes = [bytes.as_slice(), tail].concat().into();
        Undo::Append { length, modified: std::mem::replace(&mut entry.modified, revision) }
    }

    /// Makes the list when the key is not there.
    fn splice(
        &mut self,
        (key, search): (&Blob, Search),
        (rank, remove): (usize, usize),
        insert: &[Blob],
        revision: Revision,
    ) -> Applied {
        let Some(slot) = self.keys.get_mut_again(key, search) else {
            let mut list = List::default();
            list.splice(0, 0, insert);
            let emptied = list.is_empty();
            return Applied {
                emptied,
                ..self.put_anew(key, Entry::new(Value::List(list), revision).into()).into()
            };
        };
        let entry = Arc::make_mut(slot);
        let Value::List(list) = &mut entry.value else { return Undo::Nothing.into() };
        let removed = list.splice(rank, remove, insert);
        let emptied = list.is_empty();
        let modified = std::mem::replace(&mut entry.modified, revision);
        Applied { emptied, ..Undo::Splice { removed, inserted: insert.len(), modified }.into() }
    }

    /// Makes the aggregate when the key is not there.
    fn edit(&mut self, key: &Blob, edits: &Edits, revision: Revision, search: Search) -> Applied {
        let Some(slot) = self.keys.get_mut_again(key, search) else {
            let mut value = edits.fresh();
            let added = edits.apply(&mut value).map_or(0, |back| back.removals());
            let emptied = value.is_empty_aggregate();
            return Applied { undo: self.put_anew(key, Entry::new(value, revision).into()), emptied, added };
        };
        let entry = Arc::make_mut(slot);
        let Some(back) = edits.apply(&mut entry.value) else { return Undo::Nothing.into() };
        let (emptied, added) = (entry.value.is_empty_aggregate(), back.removals());
        let undo = Undo::Edited { back, modified: std::mem::replace(&mut entry.modified, revision) };
        Applied { undo, emptied, added }
    }
}
