//! What is written is read back, and foreign bytes do no harm.

use proptest::prelude::*;

use std::sync::Arc;

use super::*;
use crate::stream::{Edit, Fields, Id, Marks, Pending, Position};
use crate::{Edits, Score};

fn blob() -> impl Strategy<Value = Blob> {
    prop::collection::vec(any::<u8>(), 0..40).prop_map(Blob::from)
}

fn deadline() -> impl Strategy<Value = Option<Deadline>> {
    prop_oneof![Just(None), any::<u64>().prop_map(Deadline::from_raw)]
}

fn score() -> impl Strategy<Value = Score> {
    any::<f64>().prop_filter_map("a number", Score::new)
}

fn id() -> impl Strategy<Value = Id> {
    any::<[u64; 2]>().prop_map(|[millis, number]| Id { millis, number })
}

fn fields() -> impl Strategy<Value = Fields> {
    prop::collection::vec(blob(), 2..5).prop_map(Fields::from)
}

fn pending() -> impl Strategy<Value = Pending> {
    (blob(), any::<[u64; 2]>()).prop_map(|(consumer, [delivered, count])| Pending {
        consumer,
        delivered,
        count,
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    let position = (id(), any::<Option<u64>>()).prop_map(|(last, read)| Position { last, read });
    let marks = (id(), id(), any::<u64>()).prop_map(|(last, deleted, added)| Marks { last, deleted, added });
    prop_oneof![
        (id(), fields()).prop_map(|(id, fields)| Edit::Append(id, fields)),
        any::<u64>().prop_map(Edit::Trim),
        (id(), prop::option::of(fields())).prop_map(|(id, fields)| Edit::Entry(id, fields)),
        marks.prop_map(Edit::Marks),
        (blob(), any::<bool>()).prop_map(|(name, there)| Edit::Group(name, there.then(Arc::default))),
        (blob(), position).prop_map(|(name, position)| Edit::Position(name, position)),
        (blob(), blob(), any::<Option<u64>>()).prop_map(|(g, name, seen)| Edit::Consumer(g, name, seen)),
        (blob(), id(), prop::option::of(pending()))
            .prop_map(|(g, id, pending)| Edit::Pending(g, id, pending)),
    ]
}

fn edits() -> impl Strategy<Value = Edits> {
    prop_oneof![
        prop::collection::vec((blob(), prop::option::of(blob())), 0..5)
            .prop_map(|edits| Edits::Hash(edits.into())),
        prop::collection::vec((blob(), any::<Option<()>>()), 0..5).prop_map(|edits| Edits::Set(edits.into())),
        prop::collection::vec((blob(), prop::option::of(score())), 0..5)
            .prop_map(|edits| Edits::SortedSet(edits.into())),
        prop::collection::vec(edit(), 0..5).prop_map(Edits::Stream),
    ]
}

/// An aggregate as edits make it.
fn value() -> impl Strategy<Value = Value> {
    prop::collection::vec(edit(), 0..20).prop_flat_map(|stream| {
        let group = Edit::Group("g".into(), Some(Arc::default()));
        let ann = Edit::Consumer("g".into(), "ann".into(), Some(1));
        let stream = [group, ann].into_iter().chain(stream).collect();
        prop_oneof![edits(), Just(Edits::Stream(stream))].prop_map(|edits| {
            let mut value = edits.fresh();
            edits.apply(&mut value);
            value
        })
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (blob(), deadline()).prop_map(|(value, deadline)| Op::Put {
            value: Value::String(value),
            deadline,
            copy_of: None
        }),
        (blob(), deadline()).prop_map(|(of, deadline)| Op::Put {
            value: Value::String(Blob::from("")),
            deadline,
            copy_of: Some(Box::new((Database::User(3), of)))
        }),
        (prop::collection::vec(blob(), 1..4), deadline()).prop_map(|(elements, deadline)| Op::Put {
            value: Value::List(elements.into_iter().collect()),
            deadline,
            copy_of: None
        }),
        value().prop_map(|value| Op::Put { value, deadline: None, copy_of: None }),
        edits().prop_map(Op::Edit),
        Just(Op::Delete),
        deadline().prop_map(Op::SetDeadline),
        blob().prop_map(Op::Append),
        (any::<u64>(), any::<u64>(), prop::collection::vec(blob(), 0..4))
            .prop_map(|(rank, remove, insert)| Op::Splice { rank, remove, insert: insert.into() }),
        Just(Op::Clear),
    ]
}

fn commit() -> impl Strategy<Value = Commit> {
    let database = prop_oneof![(0..16u8).prop_map(Database::User), Just(Database::System)];
    let notices = prop::collection::vec(
        (1..=Notice::Released as u8).prop_map(|code| Notice::from_code(code).unwrap()),
        0..3,
    );
    let change = (database, blob(), op(), notices).prop_map(|(database, key, op, notices)| Change {
        database,
        key,
        op,
        notices: notices.into(),
    });
    (any::<[u64; 3]>(), prop::collection::vec(change, 0..5)).prop_map(|([revision, tick, wall], changes)| {
        Commit { revision: Revision(revision), now: Now { tick, wall }, changes: changes.into() }
    })
}

proptest! {
    #[test]
    fn a_commit_reads_back_as_it_was_written(commit in commit()) {
        let mut bytes = Vec::new();
        encode_commit(&commit, &mut bytes);
        prop_assert_eq!(decode_commit(&bytes), Ok(commit));
        bytes.push(0);
        prop_assert!(decode_commit(&bytes).is_err());
    }

    #[test]
    fn foreign_bytes_are_refused_or_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_commit(&bytes);
        let _ = decode_rows(&bytes);
    }
}

#[test]
fn an_announced_length_allocates_nothing() {
    let mut bytes = vec![1, 1, 1];
    put_number(&mut bytes, u64::MAX);
    assert_eq!(decode_commit(&bytes).unwrap_err().what, "a missing byte");
}

/// As the first format had it: a record of each kind of change that there was.
#[test]
fn a_commit_of_before_there_were_other_aggregates_is_still_read() {
    let bytes: &[u8] = &[
        7, 1, 2, 5, // revision 7, at tick 1 and wall 2, with 5 changes:
        0, 1, b'a', 1, 1, 0, 0, 0, 1, b'x', // put, with a `set`
        0, 1, b'l', 1, 11, 4, 0, 0, 1, 1, b'y', // splice, with an `rpush`
        0, 1, b'a', 1, 6, 3, 1, b'z', // append
        255, 1, b's', 0, 1, // delete in the system's database
        0, 0, 0, 5, // clear
    ];
    let commit = decode_commit(bytes).unwrap();
    let ops = commit.changes.iter().map(|change| &change.op).collect::<Vec<_>>();
    let put = Op::Put { value: Value::String("x".into()), deadline: None, copy_of: None };
    let splice = Op::Splice { rank: 0, remove: 0, insert: [Blob::from("y")].into_iter().collect() };
    assert_eq!(ops, [&put, &splice, &Op::Append("z".into()), &Op::Delete, &Op::Clear]);
    let mut again = Vec::new();
    encode_commit(&commit, &mut again);
    assert_eq!(again, bytes);
}
