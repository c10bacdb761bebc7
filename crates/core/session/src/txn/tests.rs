//! What a transaction has done, or why it has done nothing.

use adsum_keyspace::{Keyspace, Now};
use adsum_model::registered;

use super::*;

fn operation(verb: Verb, key: &str) -> Operation {
    Operation { verb, key: key.into(), value: b"v".to_vec(), flags: 5 }
}

fn all(keyspace: &mut Keyspace, operations: &[Operation]) -> Result<Vec<Found>, Vec<Failure>> {
    let steps: Vec<Step> = operations.iter().cloned().map(Step::Key).collect();
    let done = keyspace.transact(Now::default(), |tx| run(tx, &steps)).unwrap().reply?;
    let of_key = |outcome| match outcome {
        Outcome::Key(found) => found,
        Outcome::Registered(found) => panic!("nobody asked for {found:?}"),
    };
    Ok(done.into_iter().map(of_key).collect())
}

#[track_caller]
fn fails(keyspace: &mut Keyspace, operations: &[Operation], expect: &[(usize, &str)]) {
    let before = keyspace.revision();
    let failures = all(keyspace, operations).unwrap_err();
    let failures: Vec<(usize, &str)> =
        failures.iter().map(|failure| (failure.operation, failure.what.as_str())).collect();
    assert_eq!(failures, expect);
    assert_eq!(keyspace.revision(), before, "nothing is left of it");
}

#[test]
fn all_is_done_in_one_commit_and_each_sees_those_before_it() {
    let mut keyspace = Keyspace::default();
    let done = all(
        &mut keyspace,
        &[
            operation(Verb::Set, "t/1"),
            operation(Verb::Get, "t/1"),
            operation(Verb::CheckNotExists, "t/9"),
            operation(Verb::GetOrEmpty, "t/9"),
            operation(Verb::Set, "t/2"),
            operation(Verb::GetTree, "t/"),
            operation(Verb::DeleteTree, "t/2"),
            operation(Verb::CheckIndex(1), "t/1"),
            operation(Verb::CheckSession(String::new()), "t/1"),
        ],
    );
    let done = done.unwrap();
    let keys: Vec<String> =
        done.iter().map(|found| String::from_utf8_lossy(&found.key).into_owned()).collect();
    assert_eq!(keys, ["t/1", "t/1", "t/9", "t/2", "t/1", "t/2", "t/1", "t/1"]);
    assert_eq!(keyspace.revision().0, 1);
    assert!(done.iter().all(|found| found.entry.is_none() || found.beside.flags == 5));
    assert_eq!(done.iter().filter(|found| found.with_value).count(), 4);
}

#[test]
fn one_that_fails_undoes_the_others_and_each_failure_is_told() {
    let mut keyspace = Keyspace::default();
    all(&mut keyspace, &[operation(Verb::Set, "a")]).unwrap();
    fails(
        &mut keyspace,
        &[
            operation(Verb::Set, "b"),
            operation(Verb::Delete, "a"),
            operation(Verb::Get, "a"),
            operation(Verb::Cas(7), "b"),
            operation(Verb::DeleteCas(9), "b"),
            operation(Verb::CheckNotExists, "b"),
            operation(Verb::CheckIndex(9), "b"),
            operation(Verb::CheckSession("s".into()), "b"),
            operation(Verb::Unlock("s".into()), "b"),
            operation(Verb::Lock("s".into()), "b"),
            operation(Verb::Set, ""),
        ],
        &[
            (2, "key \"a\" doesn't exist"),
            (3, "failed to set key \"b\", index is stale"),
            (4, "failed to delete key \"b\", index is stale"),
            (5, "key \"b\" exists"),
            (6, "failed index check for key \"b\", current modify index 2 != 9"),
            (7, "failed session check for key \"b\", current session \"\" != \"s\""),
            (8, "failed to unlock key \"b\", lock isn't held, or is held by another session"),
            (9, "failed session lookup: index error: UUID must be 36 characters"),
            (10, "Must provide key"),
        ],
    );
    assert!(all(&mut keyspace, &[operation(Verb::Get, "a")]).is_ok());
}

fn node(verb: operation::Verb) -> Step {
    let node = registered::Node { name: "ext".into(), address: "10.0.0.1".into(), ..Default::default() };
    Step::Registered(operation::Operation { verb, record: operation::Record::Node(node) })
}

#[test]
fn what_is_registered_and_keys_are_changed_together_or_not_at_all() {
    let mut keyspace = Keyspace::default();
    let mut both = |steps: &[Step]| keyspace.transact(Now::default(), |tx| run(tx, steps)).unwrap().reply;
    let set = Step::Key(operation(Verb::Set, "k"));
    let failed = both(&[node(operation::Verb::Set), Step::Key(operation(Verb::Get, "none"))]);
    assert_eq!(failed.unwrap_err()[0].operation, 1);
    let missing = both(&[set.clone(), node(operation::Verb::Get)]).unwrap_err();
    assert_eq!((missing[0].operation, missing[0].what.as_str()), (1, "node \"ext\" doesn't exist"));
    assert_eq!(both(&[Step::Key(operation(Verb::CheckNotExists, "k"))]), Ok(vec![]));
    assert_eq!(both(&[set, node(operation::Verb::Set), node(operation::Verb::Get)]).unwrap().len(), 3);
    assert_eq!(keyspace.revision().0, 1);
}

const TOO_MUCH: &str = "the transaction reads more than 64 MiB: ask for less at a time";

fn sized(key: &str, bytes: usize) -> Operation {
    Operation { value: vec![b'v'; bytes], ..operation(Verb::Set, key) }
}

#[test]
fn who_reads_too_much_is_told_that_and_nothing_more() {
    let mut keyspace = Keyspace::default();
    for number in 0..70 {
        all(&mut keyspace, &[sized(&format!("t/{number:02}"), 1024 * 1024)]).unwrap();
    }
    let missing = operation(Verb::Get, "missing");
    fails(&mut keyspace, &[operation(Verb::GetTree, "t/"), missing.clone()], &[(0, TOO_MUCH)]);
    let ones = vec![operation(Verb::Get, "t/01"); OPERATIONS];
    fails(&mut keyspace, &ones, &[(63, TOO_MUCH)]);
    let tree = operation(Verb::GetTree, "t/0");
    assert_eq!(all(&mut keyspace, &vec![tree.clone(); 6]).unwrap().len(), 60);
    // What a failure has made useless was read all the same.
    let missed = "key \"missing\" doesn't exist";
    let mut operations = vec![missing];
    operations.extend(vec![tree; 10]);
    fails(&mut keyspace, &operations, &[(0, missed), (7, TOO_MUCH)]);
}

#[test]
fn keys_count_among_what_is_read() {
    let mut keyspace = Keyspace::default();
    for number in 0..20 {
        let key = format!("t/{number:02}/{}", "k".repeat(32 * 1024));
        all(&mut keyspace, &[sized(&key, 0)]).unwrap();
    }
    let trees = vec![operation(Verb::GetTree, "t/"); OPERATIONS];
    assert_eq!(all(&mut keyspace, &trees[..100]).unwrap().len(), 2000);
    fails(&mut keyspace, &trees, &[(101, TOO_MUCH)]);
}

#[test]
fn a_session_gets_no_lock_when_a_step_before_has_taken_what_it_lives_with() {
    use adsum_catalog::register::operation::{Operation as OnRecord, Record, Verb as Change};
    let id = session::id(7);
    let of_check = |verb, status| {
        let (node, id) = ("n1".into(), "alive".into());
        let check = registered::Check { node, id, status, ..registered::Check::default() };
        Step::Registered(OnRecord { verb, record: Record::Check(check) })
    };
    let lock = Step::Key(operation(Verb::Lock(id.clone()), "lock"));
    let (passing, critical) = (registered::Status::Passing, registered::Status::Critical);
    for (change, is_lost) in [
        (of_check(Change::Delete, passing), true),
        (of_check(Change::Set, critical), true),
        (of_check(Change::Set, passing), false),
        (of_check(Change::Get, passing), false),
    ] {
        let mut keyspace = Keyspace::default();
        let node = registered::Node { name: "n1".into(), ..registered::Node::default() };
        let node = Step::Registered(OnRecord { verb: Change::Set, record: Record::Node(node) });
        let begin = |tx: &mut Transaction<'_>| {
            run(tx, &[node, of_check(Change::Set, passing)]).unwrap();
            session::create(tx, &session(&id)).unwrap();
        };
        keyspace.transact(Now::default(), begin).unwrap();
        let steps = [change, lock.clone()];
        let done = keyspace.transact(Now::default(), |tx| run(tx, &steps)).unwrap().reply;
        let what = format!("invalid session {id:?}");
        let expect = if is_lost { Err(vec![Failure { operation: 1, what }]) } else { Ok(()) };
        assert_eq!(done.map(drop), expect, "{:?}", steps[0]);
    }
}

/// One that lives with a check.
fn session(id: &str) -> session::Session {
    session::Session {
        id: id.into(),
        name: String::new(),
        node: "n1".into(),
        behavior: session::Behavior::Release,
        lock_delay: std::time::Duration::ZERO,
        ttl: String::new(),
        lasts: None,
        node_checks: vec!["serfHealth".into(), "alive".into()],
        service_checks: Vec::new(),
        over: false,
    }
}
