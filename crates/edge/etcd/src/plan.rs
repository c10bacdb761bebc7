//! What an attempt on the view asks of etcd: that what it has read still holds, and what is to be put when it does.

use std::collections::BTreeSet;
use std::convert::Infallible;

use adsum_keyspace::{
    Attempt, Change, Changes, Commit, Database, Entry, Keyspace, Now, Op, Place, Reads, encode_commit,
    encode_row,
};
use prost::Message;

use crate::error::TooBig;
use crate::layout::Layout;
use crate::protocol::{Compare, RequestOp, TxnRequest};
use crate::record::{Id, Record};
use crate::requests::{delete, get, is_not_newer, is_of, none_is_newer, put};
use crate::row::{self, OWN};
use crate::view::{View, touched};

/// etcd's `--max-txn-ops`, of comparisons and of operations.
const OPERATIONS: usize = 128;
/// etcd's `--max-request-bytes`, less what etcd itself adds.
const REQUEST: usize = 1536 * 1024 - 1024;
/// Of one key. It is put whole whenever it is changed.
const AGGREGATE: usize = 1024 * 1024;

/// Where in the answer to a conflict is said what has come of the three keys that every plan compares.
pub(crate) const EVENT: usize = 0;
pub(crate) const SESSION: usize = 1;
pub(crate) const BASE: usize = 2;

/// On which conditions, beside what was read, a transaction holds.
pub(crate) struct Terms {
    /// The key of this process' session, and by which transaction of etcd it was put.
    pub(crate) session: (Vec<u8>, i64),
    pub(crate) more: Vec<Compare>,
}

/// What the transaction makes of a key.
struct Outcome {
    place: Place,
    before: Option<Entry>,
    after: Option<Entry>,
}

impl View {
    /// The transaction of etcd for an attempt that was made on this view just now.
    pub(crate) fn plan<T>(
        &self,
        layout: &Layout,
        attempt: &Attempt<T>,
        (id, now): (Id, Now),
        terms: Terms,
    ) -> Result<TxnRequest, TooBig> {
        let record = Record::new(id, now, &attempt.changes, attempt.publishes.clone()).encode();
        let session = terms.session.0.clone();
        let mut success = self.operations(layout, attempt, now)?;
        success.push(put(layout.event(), record, 0).into());
        let compare = self.conditions(layout, attempt, terms);
        check("operations", compare.len().max(success.len()), OPERATIONS)?;
        let keys = [layout.event(), session, layout.base()];
        let failure = keys.map(|key| crate::protocol::RangeRequest { keys_only: true, ..get(key) }.into());
        let request = TxnRequest { compare, success, failure: failure.into() };
        check("bytes of a request", request.encoded_len(), REQUEST)?;
        Ok(request)
    }

    fn conditions<T>(&self, layout: &Layout, attempt: &Attempt<T>, terms: Terms) -> Vec<Compare> {
        let reads = depends_on(attempt);
        let databases: BTreeSet<Database> =
            reads.keys.iter().chain(&reads.ranges).map(|(database, _)| *database).collect();
        let scanned: BTreeSet<Database> = reads.ranges.iter().map(|(database, _)| *database).collect();
        let mut conditions = terms.more;
        conditions.push(is_of(terms.session.0, terms.session.1));
        conditions.push(is_of(layout.base(), self.base.put_by));
        conditions.extend(databases.iter().map(|of| is_not_newer(layout.generation(*of), self.applied)));
        // A range says nothing of a key that is there no more.
        conditions.extend(scanned.iter().map(|of| is_not_newer(layout.removed(*of), self.applied)));
        conditions.extend(reads.ranges.iter().map(|(database, prefix)| {
            none_is_newer(layout.rows(*database, self.generation(*database), prefix), self.applied)
        }));
        let in_a_range = |place: &Place| {
            reads.ranges.iter().any(|(database, prefix)| *database == place.0 && place.1.starts_with(prefix))
        };
        conditions.extend(
            reads.keys.iter().filter(|place| !in_a_range(place)).map(|place| {
                is_of(layout.row(place.0, self.generation(place.0), &place.1), self.put_by(place))
            }),
        );
        conditions
    }

    fn operations<T>(
        &self,
        layout: &Layout,
        attempt: &Attempt<T>,
        now: Now,
    ) -> Result<Vec<RequestOp>, TooBig> {
        let cleared = cleared(&attempt.changes);
        let mut operations = Vec::new();
        let mut removed = BTreeSet::new();
        for outcome in self.outcomes(&attempt.changes, now) {
            let Outcome { place: (database, key), before, after } = outcome;
            let is_cleared = cleared.contains(&database);
            let row = layout.row(database, self.generation(database) + u64::from(is_cleared), &key);
            match after {
                Some(after) => {
                    let bytes = row::encode(&after, now);
                    check("bytes of one key", bytes.len(), AGGREGATE)?;
                    operations.push(put(row, bytes, 0).into());
                }
                None if before.is_some() && !is_cleared => {
                    operations.push(delete(row).into());
                    removed.insert(database);
                }
                None => {}
            }
        }
        operations.extend(removed.iter().map(|of| put(layout.removed(*of), Vec::new(), 0).into()));
        operations.extend(cleared.iter().map(|of| {
            let next = self.generation(*of) + 1;
            put(layout.generation(*of), next.to_string().into_bytes(), 0).into()
        }));
        Ok(operations)
    }

    /// The changes applied by the same code that applies them everywhere, to the keys that they touch.
    fn outcomes(&self, changes: &Changes, now: Now) -> Vec<Outcome> {
        let touched = touched(changes);
        let before = |place: &Place| self.keyspace.keys(place.0).get(place.1.as_slice());
        let mut head = Vec::new();
        let empty = Commit { revision: self.revision(), now, changes: Changes::new() };
        encode_commit(&empty, &mut head);
        let mut rows = Vec::new();
        for place in &touched {
            if let Some(entry) = before(place) {
                encode_row(place.0, &place.1, entry, &mut rows);
            }
        }
        let chunks = [head, rows].into_iter().map(Ok::<_, Infallible>);
        let (mut bench, _) = Keyspace::restore(chunks).expect("it was just written");
        bench.replay(Commit { revision: OWN, now, changes: changes.clone() });
        let outcome = |place: Place| Outcome {
            before: before(&place).map(|entry| Entry::clone(entry)),
            after: bench.keys(place.0).get(place.1.as_slice()).map(|entry| Entry::clone(entry)),
            place,
        };
        touched.into_iter().map(outcome).collect()
    }
}

/// What was read, and what is changed: the rows are whole even where the change is a delta.
fn depends_on<T>(attempt: &Attempt<T>) -> Reads {
    let mut reads = attempt.reads.clone();
    reads.keys.extend(touched(&attempt.changes));
    reads.keys.extend(attempt.changes.iter().filter_map(source));
    // The generation of a database that is emptied has to be known.
    let cleared = cleared(&attempt.changes);
    reads.keys.extend(cleared.into_iter().map(|database| (database, b"".as_slice().into())));
    reads
}

/// Of what a change is a copy.
fn source(change: &Change) -> Option<Place> {
    match &change.op {
        Op::Put { copy_of: Some(place), .. } => Some(Place::clone(place)),
        _ => None,
    }
}

fn cleared(changes: &[Change]) -> BTreeSet<Database> {
    let cleared = changes.iter().filter(|change| change.op == Op::Clear);
    cleared.map(|change| change.database).collect()
}

fn check(what: &'static str, size: usize, limit: usize) -> Result<(), TooBig> {
    if size > limit { Err(TooBig { what, size, limit }) } else { Ok(()) }
}
