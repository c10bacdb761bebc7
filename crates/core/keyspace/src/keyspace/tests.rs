//! Transactions, expiry, history, switches, case by case.

use std::collections::BTreeMap;

use smallvec::{SmallVec, smallvec};

use super::*;
use crate::{Deadline, Edits, Notice, Value, codec, stream};

mod properties;

const DB: Database = Database::User(0);

fn at(tick: u64) -> Now {
    Now { tick, wall: 1_000_000 + tick }
}

#[track_caller]
fn transact<T>(
    keyspace: &mut Keyspace,
    now: Now,
    body: impl FnOnce(&mut Transaction<'_>) -> T,
) -> Outcome<T> {
    keyspace.transact(now, body).unwrap()
}

fn put(keyspace: &mut Keyspace, key: &str, value: &str, ttl: Option<u64>, now: Now) -> Arc<Commit> {
    let deadline = ttl.map(|ttl| Deadline::after(ttl, now));
    let value = Value::String(value.into());
    transact(keyspace, now, |tx| tx.put(DB, key, value, deadline, &[Notice::Set])).commit.unwrap()
}

fn string(keyspace: &mut Keyspace, key: &str, now: Now) -> Option<String> {
    let outcome = transact(keyspace, now, |tx| match tx.get(DB, key.as_bytes()).map(|entry| &entry.value) {
        Some(Value::String(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    });
    outcome.reply
}

#[test]
fn a_transaction_is_one_revision_and_sees_its_own_writes() {
    let mut keyspace = Keyspace::default();
    let outcome = transact(&mut keyspace, at(1), |tx| {
        tx.put(DB, "a", Value::String("1".into()), None, &[Notice::Set]);
        tx.put(DB, "b", Value::String("2".into()), None, &[Notice::Set]);
        tx.get(DB, b"a").map(|entry| (entry.created, entry.modified))
    });
    assert_eq!(outcome.reply, Some((Revision(1), Revision(1))));
    assert_eq!(outcome.commit.unwrap().changes.len(), 2);
    assert_eq!(keyspace.revision(), Revision(1));
    assert!(transact(&mut keyspace, at(2), |tx| tx.get(DB, b"a").cloned()).commit.is_none());
    assert_eq!(keyspace.revision(), Revision(1));
}

#[test]
fn a_transaction_tells_which_changes_made_a_key_to_whoever_asks() {
    let mut keyspace = Keyspace::default();
    for (asked, expected) in [(false, vec![]), (true, vec![1, 3, 5, 6, 8])] {
        keyspace.transact(at(0), |tx| tx.clear(DB)).unwrap();
        put(&mut keyspace, "there", &"x".repeat(limits::UNDO_KEPT + 1), None, at(1));
        keyspace.tell_made(asked);
        let value = || Value::String("1".into());
        let outcome = transact(&mut keyspace, at(2), |tx| {
            tx.put(DB, "there", value(), None, &[Notice::Set]); // 0
            tx.put(DB, "a", value(), None, &[Notice::Set]);
            tx.delete(DB, b"a", Notice::Del);
            tx.splice(DB, b"a", 0, 0, smallvec!["x".into()], &[Notice::Rpush]); // 3
            tx.splice(DB, b"a", 1, 0, smallvec!["y".into()], &[Notice::Rpush]);
            tx.edit(DB, b"s", Edits::Set(smallvec![("x".into(), Some(()))]), &[Notice::Sadd]);
            tx.copy((DB, b"s"), (DB, b"t"), Notice::CopyTo); // 6
            tx.clear(DB);
            tx.put(DB, "there", value(), None, &[Notice::Set]);
            tx.put(Database::System, "ours", value(), None, &[Notice::Set]); // 9
        });
        assert_eq!(outcome.made, expected);
    }
}

#[test]
fn a_key_keeps_its_create_revision_until_it_is_deleted() {
    let mut keyspace = Keyspace::default();
    put(&mut keyspace, "a", "1", None, at(1));
    put(&mut keyspace, "a", "2", None, at(1));
    let revisions = |keyspace: &Keyspace| {
        let entry = keyspace.keys(DB).get(b"a".as_slice()).unwrap();
        (entry.created.0, entry.modified.0)
    };
    assert_eq!(revisions(&keyspace), (1, 2));
    transact(&mut keyspace, at(1), |tx| tx.delete(DB, b"a", Notice::Del));
    put(&mut keyspace, "a", "3", None, at(1));
    assert_eq!(revisions(&keyspace), (4, 4));
}

#[test]
fn a_due_key_is_gone_with_an_expired_event_whoever_finds_it() {
    let mut keyspace = Keyspace::default();
    put(&mut keyspace, "looked-at", "x", Some(10), at(0));
    put(&mut keyspace, "left-alone", "x", Some(10), at(0));
    assert_eq!(keyspace.next_deadline(at(4)), Some(7));
    assert_eq!(string(&mut keyspace, "looked-at", at(10)), Some("x".into()));

    let read = transact(&mut keyspace, at(11), |tx| tx.get(DB, b"looked-at").is_some());
    assert!(!read.reply);
    assert_eq!(read.commit.unwrap().changes[0].notices.as_slice(), [Notice::Expired]);

    let expired = keyspace.expire(at(11)).unwrap();
    assert_eq!(expired.changes.len(), 1);
    assert_eq!(expired.changes[0].key, Blob::from("left-alone"));
    assert_eq!(keyspace.expire(at(11)), None);
    assert_eq!(keyspace.next_deadline(at(11)), None);
}

#[test]
fn setting_a_due_key_expires_it_first_and_makes_it_anew() {
    let mut keyspace = Keyspace::default();
    put(&mut keyspace, "a", "old", Some(10), at(0));
    let outcome = transact(&mut keyspace, at(20), |tx| {
        assert!(tx.get(DB, b"a").is_none());
        tx.put(DB, "a", Value::String("new".into()), None, &[Notice::Set]);
    });
    let names: Vec<&str> = outcome.commit.unwrap().changes.iter().map(|c| c.notices[0].as_str()).collect();
    assert_eq!(names, ["expired", "set"]);
    assert_eq!(keyspace.keys(DB).get(b"a".as_slice()).unwrap().created, Revision(2));
}

#[test]
fn a_listing_shows_no_due_key_even_before_its_round() {
    let mut keyspace = Keyspace::default();
    for n in 0..limits::EXPIRE_ROUND + 10 {
        put(&mut keyspace, &format!("k{n}"), "x", Some(10), at(0));
    }
    assert_eq!(keyspace.expire(at(11)).unwrap().changes.len(), limits::EXPIRE_ROUND);
    let listed = transact(&mut keyspace, at(11), |tx| tx.keys(DB).len());
    assert_eq!((listed.reply, listed.commit.unwrap().changes.len()), (0, 10));
}

#[test]
fn an_emptied_list_goes_with_a_del_of_its_own() {
    let mut keyspace = Keyspace::default();
    transact(&mut keyspace, at(0), |tx| tx.splice(DB, b"q", 0, 0, smallvec!["a".into()], &[Notice::Lpush]));
    let popped = transact(&mut keyspace, at(0), |tx| tx.splice(DB, b"q", 0, 1, smallvec![], &[Notice::Lpop]));
    let names: Vec<&str> = popped.commit.unwrap().changes.iter().map(|c| c.notices[0].as_str()).collect();
    assert_eq!(names, ["lpop", "del"]);
    assert!(keyspace.keys(DB).is_empty());
}

#[test]
fn an_emptied_aggregate_goes_with_a_del_of_its_own_and_a_stream_stays() {
    let mut keyspace = Keyspace::default();
    let set = |there: Option<()>| Edits::Set(smallvec![("m".into(), there)]);
    transact(&mut keyspace, at(0), |tx| tx.edit(DB, b"s", set(Some(())), &[Notice::Sadd]));
    let removed = transact(&mut keyspace, at(0), |tx| tx.edit(DB, b"s", set(None), &[Notice::Srem]));
    let names: Vec<&str> = removed.commit.unwrap().changes.iter().map(|c| c.notices[0].as_str()).collect();
    assert_eq!(names, ["srem", "del"]);
    assert!(keyspace.keys(DB).is_empty());

    let id = stream::Id { millis: 1, number: 0 };
    let append = stream::Edit::Append(id, [Blob::from("f"), Blob::from("v")].into());
    transact(&mut keyspace, at(0), |tx| tx.edit(DB, b"x", Edits::Stream(vec![append]), &[Notice::Xadd]));
    let trim = Edits::Stream(vec![stream::Edit::Trim(1)]);
    transact(&mut keyspace, at(0), |tx| tx.edit(DB, b"x", trim, &[Notice::Xtrim]));
    let entry = keyspace.keys(DB).get(b"x".as_slice()).unwrap();
    let Value::Stream(stream) = &entry.value else { panic!("{entry:?}") };
    assert_eq!((stream.len(), stream.marks().last), (0, id));
}

#[test]
fn what_is_done_to_a_large_aggregate_costs_its_delta() {
    let mut keyspace = Keyspace::default();
    let field = |n: usize| (Blob::from(format!("field{n}")), Some(Blob::from("value")));
    let many = Edits::Hash((0..10_000).map(field).collect());
    transact(&mut keyspace, at(0), |tx| tx.edit(DB, b"h", many, &[Notice::Hset]));
    let one = Edits::Hash(smallvec![("field7".into(), Some("new".into()))]);
    let commit = transact(&mut keyspace, at(0), |tx| tx.edit(DB, b"h", one, &[Notice::Hset])).commit.unwrap();
    let mut bytes = Vec::new();
    codec::encode_commit(&commit, &mut bytes);
    assert!(bytes.len() < 50, "{}", bytes.len());
    assert!(commit.changes[0].weight() < 500, "{}", commit.changes[0].weight());
}

#[test]
fn a_value_takes_no_more_room_than_a_string() {
    assert_eq!(size_of::<Value>(), size_of::<Blob>());
}

#[test]
fn clearing_a_database_leaves_the_others_and_costs_one_change() {
    let mut keyspace = Keyspace::default();
    put(&mut keyspace, "a", "1", Some(10), at(0));
    transact(&mut keyspace, at(0), |tx| tx.put(Database::System, "s", Value::String("1".into()), None, &[]));
    let cleared = transact(&mut keyspace, at(0), |tx| tx.clear(DB)).commit.unwrap();
    assert_eq!(cleared.changes.len(), 1);
    assert_eq!((keyspace.keys(DB).len(), keyspace.keys(Database::System).len()), (0, 1));
    assert_eq!(keyspace.due(at(100)).count(), 0);
    assert!(keyspace.take_garbage().is_empty());
}

#[test]
fn what_is_large_and_goes_is_freed_by_somebody_else_and_costs_no_watch_its_place() {
    let mut keyspace = Keyspace::default();
    let first = put(&mut keyspace, "watched", "x", None, at(0)).revision;
    let element = Blob::from("x".repeat(1000));
    let elements = |n: usize| (0..n).map(|_| element.clone()).collect::<SmallVec<[Blob; 1]>>();
    for _ in 0..4 {
        transact(&mut keyspace, at(0), |tx| tx.splice(DB, b"l", 0, 0, elements(1000), &[Notice::Rpush]));
    }
    let place = (DB, Blob::from("l"));
    transact(&mut keyspace, at(0), |tx| {
        tx.rename((DB, b"l"), (DB, b"m"), (Notice::RenameFrom, Notice::RenameTo))
    });
    let before = keyspace.revision();
    assert!(keyspace.entry_at(&place, Revision(before.0 - 1)).is_err(), "it was taken away and is large");
    keyspace.take_garbage();
    transact(&mut keyspace, at(0), |tx| tx.delete(DB, b"m", Notice::Del));
    assert_eq!(keyspace.take_garbage().len(), 1);
    let renamed = (DB, Blob::from("m"));
    assert_eq!(keyspace.entry_at(&renamed, before), Err(Compacted { oldest: keyspace.revision() }));
    assert!(keyspace.entry_at(&(DB, Blob::from("watched")), first).unwrap().is_some(), "others can be read");
    let events =
        keyspace.after(Space::User, first).unwrap().map(|commit| commit.changes.len()).sum::<usize>();
    assert_eq!(events, 4 + 2 + 1);
}

#[test]
fn a_large_database_that_is_emptied_is_freed_by_somebody_else() {
    let mut keyspace = Keyspace::default();
    let before =
        (0..10_000).map(|n| put(&mut keyspace, &format!("k{n}"), "x", None, at(0)).revision).last().unwrap();
    keyspace.take_garbage();
    transact(&mut keyspace, at(0), |tx| tx.clear(DB));
    assert_eq!(keyspace.take_garbage().len(), 1);
    let (place, oldest) = ((DB, Blob::from("k1")), keyspace.revision());
    assert_eq!(keyspace.entry_at(&place, before), Err(Compacted { oldest }));
    assert_eq!(keyspace.entry_at(&place, oldest), Ok(None));
}

#[test]
fn too_much_for_one_transaction_leaves_nothing() {
    let mut keyspace = Keyspace::default();
    put(&mut keyspace, "a", "1", None, at(0));
    let piece = vec![b'x'; limits::VALUE];
    let refused = keyspace.transact(at(0), |tx| {
        tx.delete(DB, b"a", Notice::Del);
        for n in 0..10u8 {
            tx.put(DB, &[n], Value::String(piece.clone().into()), None, &[]);
        }
    });
    assert!(refused.unwrap_err().bytes > limits::TRANSACTION);
    assert_eq!((keyspace.keys(DB).len(), keyspace.revision()), (1, Revision(1)));
    assert!(!keyspace.is_tainted());
}

#[test]
fn a_copy_of_a_large_value_costs_its_name() {
    let mut keyspace = Keyspace::default();
    put(&mut keyspace, "a", &"x".repeat(1000), None, at(0));
    let commit = transact(&mut keyspace, at(0), |tx| {
        tx.rename((DB, b"a"), (DB, b"b"), (Notice::RenameFrom, Notice::RenameTo))
    });
    let commit = commit.commit.unwrap();
    let mut bytes = Vec::new();
    codec::encode_commit(&commit, &mut bytes);
    assert!(bytes.len() < 100, "{}", bytes.len());
    let mut replayed = Keyspace::default();
    put(&mut replayed, "a", &"x".repeat(1000), None, at(0));
    replayed.replay(codec::decode_commit(&bytes).unwrap());
    assert_eq!(contents(&replayed), contents(&keyspace));
    assert_eq!(**replayed.after(Space::User, Revision(1)).unwrap().next().unwrap(), *commit);
}

#[test]
fn what_was_looked_for_in_vain_is_found_however_it_has_come() {
    let filled = |tx: &mut Transaction<'_>| tx.splice(DB, b"a", 0, 0, smallvec!["b".into()], &[]);
    let in_vain = |tx: &mut Transaction<'_>| assert!(tx.get(DB, b"a").is_none());
    let commit = transact(&mut Keyspace::default(), at(0), filled).commit.unwrap();
    let row = || Entry::new(Value::List(["b".into()].into_iter().collect()), Revision(1));
    type Way<'a> = (&'a str, &'a dyn Fn(&mut Keyspace));
    let ways: [Way<'_>; 5] = [
        ("written", &|keyspace| drop(transact(keyspace, at(0), filled))),
        ("replayed", &|keyspace| keyspace.replay((*commit).clone())),
        ("restored", &|keyspace| keyspace.put_row(DB, &"a".into(), row())),
        ("kept by an attempt", &|keyspace| {
            transact(keyspace, at(0), filled);
            keyspace.attempt(at(0), |tx| {
                tx.clear(DB);
                in_vain(tx);
            });
        }),
        ("taken back", &|keyspace| {
            transact(keyspace, at(0), filled);
            transact(keyspace, at(0), |tx| {
                tx.delete(DB, b"a", Notice::Del);
                in_vain(tx);
                tx.take_back();
            });
        }),
    ];
    for (how, way) in ways {
        let mut keyspace = Keyspace::default();
        transact(&mut keyspace, at(0), in_vain);
        way(&mut keyspace);
        transact(&mut keyspace, at(0), |tx| tx.splice(DB, b"a", 1, 0, smallvec!["c".into()], &[]));
        let length = transact(&mut keyspace, at(0), |tx| match tx.get(DB, b"a").map(|entry| &entry.value) {
            Some(Value::List(list)) => list.len(),
            _ => 0,
        });
        assert_eq!(length.reply, 2, "{how}");
    }
}

#[test]
fn an_attempt_says_what_it_would_do_and_on_what_it_depends() {
    let mut keyspace = Keyspace::default();
    put(&mut keyspace, "a", "1", None, at(0));
    let before = contents(&keyspace);
    let attempt = keyspace.attempt(at(0), |tx| {
        tx.get(DB, b"missing");
        let count = tx.keys_under(DB, b"a").len();
        tx.put(DB, "b", Value::String("2".into()), None, &[Notice::Set]);
        tx.publish("c".into(), "m".into());
        count
    });
    assert_eq!((attempt.reply, attempt.changes.len(), attempt.publishes.len()), (1, 1, 1));
    assert_eq!(attempt.reads.keys, [(DB, "missing".into())].into());
    assert_eq!(attempt.reads.ranges, [(DB, "a".into())].into());
    assert_eq!((contents(&keyspace), keyspace.revision()), (before, Revision(1)));
}

#[test]
fn a_keyspace_whose_clock_others_watch_lets_nothing_go_by_itself() {
    let mut keyspace = Keyspace::default();
    keyspace.leave_expiry_to_others();
    put(&mut keyspace, "a", "1", Some(10), at(0));
    assert_eq!(string(&mut keyspace, "a", at(20)), Some("1".into()));
    assert_eq!(keyspace.expire(at(20)), None);
    assert_eq!(keyspace.due(at(20)).count(), 1);
}

#[test]
fn a_switch_fires_once_for_each_expiry_and_not_for_a_deletion() {
    let mut keyspace = Keyspace::default();
    let switch = crate::switch::key_of(DB, b"alive").unwrap();
    transact(&mut keyspace, at(0), |tx| {
        tx.put(Database::System, switch, Value::String("restart web".into()), None, &[]);
    });
    let fired = |keyspace: &Keyspace| {
        let firings = keyspace.keys(Database::System).iter_from(crate::switch::all_fired());
        let firings = firings.filter_map(|(key, _)| crate::switch::fired_place(key));
        firings.map(|(_, created)| created.0).collect::<Vec<_>>()
    };
    put(&mut keyspace, "alive", "1", Some(10), at(0));
    transact(&mut keyspace, at(5), |tx| tx.delete(DB, b"alive", Notice::Del));
    keyspace.expire(at(20));
    assert_eq!(fired(&keyspace), Vec::<u64>::new());
    put(&mut keyspace, "alive", "1", Some(10), at(20));
    put(&mut keyspace, "other", "1", Some(10), at(20));
    let commit = keyspace.expire(at(31)).unwrap();
    assert_eq!(commit.changes.len(), 3);
    assert_eq!(fired(&keyspace), [4]);
    put(&mut keyspace, "alive", "1", Some(10), at(31));
    keyspace.expire(at(42));
    assert_eq!(fired(&keyspace), [4, 7]);
}

#[test]
fn a_round_of_expiry_ends_far_below_the_limit_of_a_transaction() {
    let mut keyspace = Keyspace::default();
    let long = |n: usize| format!("{n}{}", "x".repeat(limits::KEY - 8));
    for n in 0..60 {
        let switch = crate::switch::key_of(DB, long(n).as_bytes()).unwrap();
        let action = Value::String("event silent".into());
        transact(&mut keyspace, at(0), |tx| tx.put(Database::System, switch, action, None, &[]));
        put(&mut keyspace, &long(n), "x", Some(10), at(0));
    }
    let mut rounds = 0;
    while keyspace.expire(at(11)).is_some() {
        rounds += 1;
    }
    assert!((2..60).contains(&rounds), "{rounds} rounds");
    assert!(keyspace.keys(DB).is_empty());
}

#[test]
fn what_is_renamed_onto_a_lock_is_not_held_under_its_fence() {
    let mut keyspace = Keyspace::default();
    put(&mut keyspace, "l", "a", Some(1000), at(0));
    put(&mut keyspace, "x", "b", None, at(0));
    transact(&mut keyspace, at(0), |tx| {
        tx.rename((DB, b"x"), (DB, b"l"), (Notice::RenameFrom, Notice::RenameTo))
    });
    assert_eq!(keyspace.keys(DB).get(b"l".as_slice()).unwrap().created, Revision(3));
}

#[test]
fn a_panic_taints_what_it_has_changed_and_nothing_else() {
    let fall = |keyspace: &mut Keyspace, change: bool| {
        let body = std::panic::AssertUnwindSafe(|| {
            transact(keyspace, at(0), |tx| {
                if change {
                    tx.put(DB, "a", Value::String("1".into()), None, &[]);
                }
                panic!("a mistake");
            })
        });
        assert!(std::panic::catch_unwind(body).is_err());
    };
    let mut keyspace = Keyspace::default();
    fall(&mut keyspace, false);
    assert!(!keyspace.is_tainted());
    fall(&mut keyspace, true);
    assert!(keyspace.is_tainted());
}

#[test]
fn each_space_has_its_own_history() {
    let mut keyspace = Keyspace::default();
    put(&mut keyspace, "a", "1", None, at(0));
    transact(&mut keyspace, at(0), |tx| tx.put(Database::System, "s", Value::String("1".into()), None, &[]));
    let revisions =
        |space| keyspace.after(space, Revision::ZERO).unwrap().map(|c| c.revision.0).collect::<Vec<_>>();
    assert_eq!((revisions(Space::User), revisions(Space::System)), (vec![1], vec![2]));
}

fn contents(keyspace: &Keyspace) -> BTreeMap<Blob, Entry> {
    keyspace.keys(DB).iter().map(|(key, entry)| (key.clone(), (**entry).clone())).collect()
}

#[test]
fn what_is_taken_back_is_in_no_commit_and_a_touch_changes_the_revision_alone() {
    let (mut keyspace, now) = (Keyspace::default(), at(1));
    put(&mut keyspace, "a", "x", None, now);
    let outcome = transact(&mut keyspace, now, |tx| {
        tx.put(DB, "a", Value::String("y".into()), None, &[Notice::Set]);
        tx.delete(DB, b"a", Notice::Del);
        tx.put(DB, "b", Value::String("z".into()), None, &[Notice::Set]);
        tx.take_back();
        tx.put(DB, "c", Value::String("kept".into()), None, &[Notice::Set]);
    });
    assert_eq!(outcome.commit.unwrap().changes.len(), 1);
    assert_eq!(string(&mut keyspace, "a", now).as_deref(), Some("x"));
    assert_eq!(string(&mut keyspace, "b", now), None);
    let touched = transact(&mut keyspace, now, |tx| tx.touch(DB, b"a", Notice::Released)).commit.unwrap();
    assert_eq!(touched.changes[0].notices[..], [Notice::Released]);
    let entry = keyspace.keys(DB).get(&b"a"[..]).unwrap();
    assert_eq!((entry.created, entry.modified), (Revision(1), touched.revision));
    assert_eq!(string(&mut keyspace, "a", now).as_deref(), Some("x"));
}
