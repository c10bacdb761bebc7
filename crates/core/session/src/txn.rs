//! Several verbs in one transaction: all of them are done, or none.

use adsum_catalog::register::operation;
use adsum_keyspace::{Blob, Entry, Transaction, Value};

use crate::kv::{self, Locked, NoSession, Put};
use crate::{Beside, check, end, session};

/// A part of a transaction: on a key, or on what clients register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(Operation),
    Registered(operation::Operation),
}

/// What a step has found or made.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Key(Found),
    Registered(operation::Found),
}

/// Operations at most.
pub const OPERATIONS: usize = 128;
/// Bytes that one transaction reads, as [`Found::weight`] has them.
const READ: usize = 64 * 1024 * 1024;
/// Bytes that something found takes beside its key and its value: what stands beside it, and its form in an answer.
const FRAME: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    Set,
    Cas(u64),
    Lock(String),
    Unlock(String),
    Get,
    GetOrEmpty,
    GetTree,
    CheckIndex(u64),
    CheckSession(String),
    CheckNotExists,
    Delete,
    DeleteCas(u64),
    DeleteTree,
    /// The key is the id of a session, which is ended.
    EndSession,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub verb: Verb,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub flags: u64,
}

/// What an operation has found or made.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub key: Blob,
    /// None for a key that is not there and was asked for all the same.
    pub entry: Option<Entry>,
    pub beside: Beside,
    /// Whether the value was asked for.
    pub with_value: bool,
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which operation, from 0.
    pub operation: usize,
    pub what: String,
}

/// Does all of it in order, each operation on what those before it have left. What has failed is told of every
/// operation, and nothing is left of the others. Who reads too much is told that, and nothing more is done for it.
///
/// # Errors
/// With at least one.
pub fn run(tx: &mut Transaction<'_>, steps: &[Step]) -> Result<Vec<Outcome>, Vec<Failure>> {
    let (mut found, mut failures, mut room) = (Vec::new(), Vec::new(), Room(Some(READ)));
    for (number, step) in steps.iter().enumerate() {
        let done = match lost_by(tx, &steps[..number], step) {
            Some(lost) => Err(lost.to_string()),
            None => step.run(tx, &mut room),
        };
        match done {
            Ok(those) => found.extend(those),
            Err(what) => {
                failures.push(Failure { operation: number, what });
                found.clear();
            }
        }
        if room.is_exceeded() {
            break;
        }
    }
    if failures.is_empty() {
        return Ok(found);
    }
    tx.take_back();
    Err(failures)
}

/// Why a step gets no lock: the steps before it have changed what its session lives with. Else whoever ends sessions would
/// do so a moment after.
fn lost_by(tx: &mut Transaction<'_>, before: &[Step], step: &Step) -> Option<NoSession> {
    let Step::Key(Operation { verb: Verb::Lock(id), .. }) = step else { return None };
    let writes =
        |step: &Step| matches!(step, Step::Registered(operation) if operation.verb != operation::Verb::Get);
    let session = before.iter().any(writes).then(|| session::valid(tx, id)).flatten()?.session;
    check::has_problem(tx, &session).then(|| NoSession::Invalid(id.clone()))
}

/// Bytes that may still be read, those of operations that have failed included; none when it was too much.
struct Room(Option<usize>);

impl Room {
    fn take(&mut self, bytes: usize) -> Result<(), String> {
        self.0 = self.0.and_then(|left| left.checked_sub(bytes));
        let much = READ / 1024 / 1024;
        self.0
            .map(drop)
            .ok_or_else(|| format!("the transaction reads more than {much} MiB: ask for less at a time"))
    }

    fn is_exceeded(&self) -> bool {
        self.0.is_none()
    }
}

impl Step {
    fn run(&self, tx: &mut Transaction<'_>, room: &mut Room) -> Result<Vec<Outcome>, String> {
        match self {
            Step::Key(operation) => {
                let found = operation.run(tx, room)?;
                Ok(found.into_iter().map(Outcome::Key).collect())
            }
            Step::Registered(operation) => {
                let Some((found, bytes)) = operation.run(tx)? else { return Ok(Vec::new()) };
                room.take(FRAME + bytes)?;
                Ok(vec![Outcome::Registered(found)])
            }
        }
    }
}

impl Operation {
    fn run(&self, tx: &mut Transaction<'_>, room: &mut Room) -> Result<Vec<Found>, String> {
        let key = self.key.as_slice();
        let takes_any = matches!(self.verb, Verb::GetTree | Verb::DeleteTree);
        if key.is_empty() && !takes_any {
            return Err("Must provide key".into());
        }
        let one = match &self.verb {
            Verb::Set | Verb::Cas(_) | Verb::Lock(_) | Verb::Unlock(_) => {
                self.put(tx)?;
                self.one(tx, false)?
            }
            Verb::Get => self.one(tx, true)?,
            Verb::GetOrEmpty => self.one(tx, true).unwrap_or_else(|_| Found::nothing(key)),
            Verb::GetTree => return tree(tx, key, room),
            Verb::CheckIndex(_) | Verb::CheckSession(_) => self.check(tx)?,
            Verb::CheckNotExists if kv::get(tx, key).is_some() => {
                return Err(format!("key {} exists", self.name()));
            }
            Verb::CheckNotExists => return Ok(Vec::new()),
            Verb::Delete | Verb::DeleteCas(_) | Verb::DeleteTree | Verb::EndSession => {
                self.take_out(tx)?;
                return Ok(Vec::new());
            }
        };
        room.take(one.weight())?;
        Ok(vec![one])
    }

    fn put(&self, tx: &mut Transaction<'_>) -> Result<(), String> {
        let name = self.name();
        let put = Put { key: &self.key, value: &self.value, flags: self.flags, deadline: None };
        match &self.verb {
            Verb::Cas(index) if kv::cas(tx, &put, *index) => Ok(()),
            Verb::Cas(_) => Err(format!("failed to set key {name}, index is stale")),
            Verb::Lock(id) => match kv::lock(tx, &put, id).map_err(|error| error.to_string())? {
                Locked::Yes => Ok(()),
                Locked::Held => Err(format!("failed to lock key {name}, lock is already held")),
                Locked::Delayed => Err(format!("failed to lock key {name} due to lock delay")),
            },
            Verb::Unlock(id) if kv::unlock(tx, &put, id).map_err(|error| error.to_string())? => Ok(()),
            Verb::Unlock(_) => {
                Err(format!("failed to unlock key {name}, lock isn't held, or is held by another session"))
            }
            _ => {
                kv::set(tx, &put);
                Ok(())
            }
        }
    }

    fn check(&self, tx: &mut Transaction<'_>) -> Result<Found, String> {
        let found = self.one(tx, false)?;
        let modified = found.entry.as_ref().map_or(0, |entry| entry.modified.0);
        let holder = found.beside.session.as_deref().unwrap_or_default();
        match &self.verb {
            Verb::CheckIndex(index) if modified != *index => Err(format!(
                "failed index check for key {}, current modify index {modified} != {index}",
                self.name()
            )),
            Verb::CheckSession(id) if holder != id => Err(format!(
                "failed session check for key {}, current session {holder:?} != {id:?}",
                self.name()
            )),
            _ => Ok(found),
        }
    }

    fn take_out(&self, tx: &mut Transaction<'_>) -> Result<(), String> {
        match self.verb {
            Verb::DeleteCas(index) if !kv::delete_cas(tx, &self.key, index) => {
                return Err(format!("failed to delete key {}, index is stale", self.name()));
            }
            Verb::DeleteCas(_) => {}
            Verb::DeleteTree => kv::delete_tree(tx, &self.key),
            Verb::EndSession => drop(end::end(tx, &String::from_utf8_lossy(&self.key))),
            _ => kv::delete(tx, &self.key),
        }
        Ok(())
    }

    fn one(&self, tx: &mut Transaction<'_>, with_value: bool) -> Result<Found, String> {
        let found = kv::get(tx, &self.key);
        let Some((entry, beside)) = found else { return Err(format!("key {} doesn't exist", self.name())) };
        if with_value && !matches!(entry.value, Value::String(_)) {
            let kind = entry.value.kind().as_str();
            return Err(format!("key {} holds a {kind}, not a string", self.name()));
        }
        Ok(Found { key: self.key.as_slice().into(), entry: Some(entry), beside, with_value })
    }

    fn name(&self) -> String {
        format!("{:?}", String::from_utf8_lossy(&self.key))
    }
}

/// What a listing shows under a prefix, as far as there is room for it.
fn tree(tx: &mut Transaction<'_>, prefix: &[u8], room: &mut Room) -> Result<Vec<Found>, String> {
    let listed = tx.keys_under(kv::DATABASE, prefix).iter_from(prefix);
    let listed = listed.take_while(|(key, _)| key.starts_with(prefix));
    let strings = listed.filter(|(_, entry)| matches!(entry.value, Value::String(_)));
    let mut keys: Vec<Blob> = Vec::new();
    for (key, entry) in strings {
        room.take(FRAME + key.len() + entry.value.weight())?;
        keys.push(key.clone());
    }
    let found = keys.into_iter().filter_map(|key| {
        let (entry, beside) = kv::get(tx, &key)?;
        Some(Found { key, entry: Some(entry), beside, with_value: true })
    });
    Ok(found.collect())
}

impl Found {
    /// Bytes that it takes, roughly.
    fn weight(&self) -> usize {
        let told = self.entry.as_ref().filter(|_| self.with_value);
        FRAME + self.key.len() + told.map_or(0, |entry| entry.value.weight())
    }

    fn nothing(key: &[u8]) -> Found {
        Found { key: key.into(), entry: None, beside: Beside::default(), with_value: true }
    }
}

#[cfg(test)]
mod tests {
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
}
