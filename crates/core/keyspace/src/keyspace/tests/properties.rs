//! Whatever is done: replay, restore, the past and taking back agree with what was seen.

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::{Edits, Score, stream};

#[derive(Clone, Debug)]
enum Step {
    Get(u8),
    Put(u8, u8, Option<u64>),
    Delete(u8),
    Push(u8, Vec<u8>),
    Splice(u8, u8, u8),
    Edit(u8, Edits),
    Append(u8, u8),
    Persist(u8),
    Copy(u8, u8),
    Pass(u64),
    Clear,
}

fn edits() -> impl Strategy<Value = Edits> {
    let name = || (0..6u8).prop_map(|name| Blob::from(&[name]));
    let score = (-3..3i8).prop_map(|score| Score::new(score.into()).unwrap());
    let times = 1..4;
    prop_oneof![
        prop::collection::vec((name(), prop::option::of(name())), times.clone())
            .prop_map(|edits| Edits::Hash(edits.into())),
        prop::collection::vec((name(), any::<Option<()>>()), times.clone())
            .prop_map(|edits| Edits::Set(edits.into())),
        prop::collection::vec((name(), prop::option::of(score)), times.clone())
            .prop_map(|edits| Edits::SortedSet(edits.into())),
        prop::collection::vec(stream_edit(), times).prop_map(Edits::Stream),
    ]
}

fn stream_edit() -> impl Strategy<Value = stream::Edit> {
    use stream::Edit;
    let name = || (0..2u8).prop_map(|name| Blob::from(&[name]));
    let id = || (0..9u64).prop_map(|millis| stream::Id { millis, number: 0 });
    let fields = || name().prop_map(|name| stream::Fields::from([name.clone(), name]));
    let group = any::<bool>().prop_map(|there| there.then(Arc::default));
    let pending = (name(), any::<[u64; 2]>());
    let pending =
        pending.prop_map(|(consumer, [delivered, count])| stream::Pending { consumer, delivered, count });
    prop_oneof![
        (id(), fields()).prop_map(|(id, fields)| Edit::Append(id, fields)),
        (0..3u64).prop_map(Edit::Trim),
        (id(), prop::option::of(fields())).prop_map(|(id, fields)| Edit::Entry(id, fields)),
        id().prop_map(|last| Edit::Marks(stream::Marks { last, ..stream::Marks::default() })),
        (name(), group).prop_map(|(name, group)| Edit::Group(name, group)),
        (name(), id()).prop_map(|(name, last)| Edit::Position(name, stream::Position { last, read: None })),
        (name(), name(), 0..9u64).prop_map(|(group, name, seen)| Edit::Consumer(group, name, Some(seen))),
        (name(), id(), prop::option::of(pending)).prop_map(|(g, id, pending)| Edit::Pending(g, id, pending)),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..12u8;
    let step = prop_oneof![
        (key.clone(), any::<u8>(), prop::option::of(1..50u64)).prop_map(|(k, v, t)| Step::Put(k, v, t)),
        key.clone().prop_map(Step::Get),
        key.clone().prop_map(Step::Delete),
        (key.clone(), prop::collection::vec(any::<u8>(), 1..4)).prop_map(|(k, v)| Step::Push(k, v)),
        (key.clone(), 0..4u8, 0..4u8).prop_map(|(k, r, n)| Step::Splice(k, r, n)),
        (key.clone(), edits()).prop_map(|(k, edits)| Step::Edit(k, edits)),
        (key.clone(), any::<u8>()).prop_map(|(k, v)| Step::Append(k, v)),
        key.clone().prop_map(Step::Persist),
        (key.clone(), key).prop_map(|(from, to)| Step::Copy(from, to)),
        (1..30u64).prop_map(Step::Pass),
        Just(Step::Clear),
    ];
    prop::collection::vec(step, 0..150)
}

fn run(keyspace: &mut Keyspace, step: Step, now: &mut Now) -> Option<Arc<Commit>> {
    if let Step::Pass(millis) = step {
        *now = at(now.tick + millis);
        return keyspace.expire(*now);
    }
    transact(keyspace, *now, |tx| apply(tx, step)).commit
}

fn apply(tx: &mut Transaction<'_>, step: Step) {
    let key = |k: u8| [b'k', k];
    match step {
        Step::Put(k, v, ttl) => {
            let deadline = ttl.map(|ttl| Deadline::after(ttl, tx.now()));
            tx.put(DB, &key(k), Value::String(Blob::from(&[v])), deadline, &[Notice::Set]);
        }
        Step::Get(k) => drop(tx.get(DB, &key(k)).map(|entry| entry.modified)),
        Step::Delete(k) => {
            tx.delete(DB, &key(k), Notice::Del);
        }
        Step::Push(k, v) => {
            if !matches!(tx.get(DB, &key(k)), Some(Entry { value: Value::String(_), .. })) {
                let insert = v.iter().map(|byte| Blob::from(&[*byte])).collect();
                tx.splice(DB, &key(k), usize::MAX, 0, insert, &[Notice::Rpush]);
            }
        }
        Step::Splice(k, rank, remove) => {
            if matches!(tx.get(DB, &key(k)), Some(Entry { value: Value::List(_), .. })) {
                tx.splice(DB, &key(k), rank.into(), remove.into(), smallvec![], &[Notice::Lrem]);
            }
        }
        Step::Edit(k, edits) => {
            let fits = |entry: &Entry| edits.fresh().kind() == entry.value.kind();
            if tx.get(DB, &key(k)).is_none_or(fits) {
                tx.edit(DB, &key(k), edits, &[Notice::Hset]);
            }
        }
        Step::Append(k, v) => {
            if matches!(tx.get(DB, &key(k)), Some(Entry { value: Value::String(_), .. })) {
                tx.append(DB, &key(k), &[v]);
            }
        }
        Step::Persist(k) => {
            if tx.get(DB, &key(k)).is_some() {
                tx.set_deadline(DB, &key(k), None, Notice::Persist);
            }
        }
        Step::Copy(from, to) => {
            if from % 2 == 0 {
                tx.copy((DB, &key(from)), (DB, &key(to)), Notice::CopyTo);
            } else {
                tx.rename((DB, &key(from)), (DB, &key(to)), (Notice::RenameFrom, Notice::RenameTo));
            }
        }
        Step::Pass(_) => {}
        Step::Clear => tx.clear(DB),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn replay_of_the_encoded_commits_and_restore_of_a_snapshot_give_the_same_state(
        steps in steps(),
        split in 0..150usize,
    ) {
        let mut keyspace = Keyspace::default();
        let mut now = at(0);
        let mut journal: Vec<Vec<u8>> = Vec::new();
        let mut snapshot = None;
        for (n, step) in steps.into_iter().enumerate() {
            if n == split {
                snapshot = Some((journal.len(), keyspace.snapshot(now), contents(&keyspace)));
            }
            if let Some(commit) = run(&mut keyspace, step, &mut now) {
                let mut bytes = Vec::new();
                codec::encode_commit(&commit, &mut bytes);
                journal.push(bytes);
            }
        }
        let mut replayed = Keyspace::default();
        journal.iter().for_each(|bytes| replayed.replay(codec::decode_commit(bytes).unwrap()));
        prop_assert_eq!(contents(&replayed), contents(&keyspace));
        prop_assert_eq!(replayed.revision(), keyspace.revision());
        prop_assert!(replayed.due(at(u64::MAX / 2)).eq(keyspace.due(at(u64::MAX / 2))));

        if let Some((position, snapshot, then)) = snapshot {
            let chunks = snapshot.into_chunks().map(Ok::<_, Infallible>);
            let (mut restored, _) = Keyspace::restore(chunks).unwrap();
            prop_assert_eq!(contents(&restored), then);
            journal[position..].iter().for_each(|bytes| restored.replay(codec::decode_commit(bytes).unwrap()));
            prop_assert_eq!(contents(&restored), contents(&keyspace));
            prop_assert!(restored.due(at(u64::MAX / 2)).eq(keyspace.due(at(u64::MAX / 2))));
        }
    }

    #[test]
    fn the_past_can_be_read_and_what_was_done_be_taken_back(steps in steps(), undone in steps()) {
        let mut keyspace = Keyspace::default();
        let mut now = at(0);
        let mut pasts = vec![(Revision::ZERO, BTreeMap::new())];
        for step in steps {
            run(&mut keyspace, step, &mut now);
            pasts.push((keyspace.revision(), contents(&keyspace)));
        }
        let last = contents(&keyspace);
        let due = keyspace.due(at(u64::MAX / 2)).map(|(_, key)| key.clone()).collect::<Vec<_>>();
        keyspace.attempt(now, |tx| undone.into_iter().for_each(|step| apply(tx, step)));
        prop_assert_eq!(&contents(&keyspace), &last);
        prop_assert!(keyspace.due(at(u64::MAX / 2)).map(|(_, key)| key).eq(&due));
        for (revision, then) in pasts {
            for key in (0..12u8).map(|k| Blob::from(&[b'k', k])) {
                let place = (DB, key.clone());
                let entry = keyspace.entry_at(&place, revision).unwrap();
                prop_assert_eq!(entry.as_deref(), then.get(&key));
                let mut step = keyspace.entry_now(&place);
                while step.revision > revision {
                    step = keyspace.step_back(&place, step, revision, 3).unwrap();
                }
                prop_assert_eq!(step.entry, entry);
            }
        }
    }
}
