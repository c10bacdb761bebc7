//! Sessions and locks step by step, and what holds whatever clients of both kinds do.

use std::collections::BTreeMap;
use std::time::Duration;

use adsum_keyspace::{Database, Keyspace, Notice, Now, Transaction, Value};
use proptest::prelude::*;

use crate::kv::{self, DATABASE, Locked, NoSession, Put};
use crate::session::{self, Behavior, Session};
use crate::{Beside, end, sweep};

/// A keyspace with a clock that stands still unless it is told.
struct World {
    keyspace: Keyspace,
    now: Now,
}

impl World {
    fn new() -> World {
        World { keyspace: Keyspace::default(), now: Now { tick: 1_000, wall: 1_000_000 } }
    }

    fn act<T>(&mut self, body: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
        self.keyspace.transact(self.now, body).unwrap().reply
    }

    /// Time goes by, and what is due goes.
    fn pass(&mut self, time: Duration) {
        self.now.tick += time.as_millis() as u64 + 1;
        while self.keyspace.expire(self.now).is_some() {}
    }

    fn begin(&mut self, name: &str, behavior: Behavior, ttl: Option<u64>, delay: u64) -> String {
        let session = new_session(name, behavior, ttl, delay);
        self.act(|tx| session::create(tx, &session)).unwrap();
        session.id
    }

    fn lock(&mut self, key: &str, id: &str) -> Result<Locked, NoSession> {
        self.act(|tx| kv::lock(tx, &put(key, "locked"), id))
    }

    fn unlock(&mut self, key: &str, id: &str) -> bool {
        self.act(|tx| kv::unlock(tx, &put(key, "free"), id)).unwrap()
    }

    fn beside(&mut self, key: &str) -> Beside {
        self.act(|tx| Beside::read(tx, key.as_bytes()))
    }

    fn index(&mut self, key: &str) -> Option<u64> {
        self.act(|tx| tx.get(DATABASE, key.as_bytes()).map(|entry| entry.modified.0))
    }

    fn redis_set(&mut self, key: &str) {
        self.act(|tx| tx.put(DATABASE, key, Value::String("redis".into()), None, &[Notice::Set]));
    }

    fn redis_del(&mut self, key: &str) {
        self.act(|tx| tx.delete(DATABASE, key.as_bytes(), Notice::Del));
    }

    /// What the controller does: ends the sessions that are over.
    fn end_those_over(&mut self) -> Vec<String> {
        let system = self.keyspace.keys(Database::System).clone();
        let over: Vec<String> =
            session::all(&system).filter(|(_, over)| *over).map(|(listed, _)| listed.session.id).collect();
        for id in &over {
            while self.act(|tx| end::end(tx, id)).is_some_and(|ended| ended.more) {}
        }
        over
    }

    fn system_keys(&self) -> Vec<String> {
        let keys = self.keyspace.keys(Database::System).iter();
        keys.map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect()
    }
}

fn new_session(name: &str, behavior: Behavior, ttl: Option<u64>, delay: u64) -> Session {
    Session {
        id: format!("{name:0>36}"),
        name: name.to_string(),
        node: "n".to_string(),
        behavior,
        lock_delay: Duration::from_secs(delay),
        ttl: ttl.map_or_else(String::new, |ttl| format!("{ttl}s")),
        lasts: ttl.map(Duration::from_secs),
        node_checks: Vec::new(),
        service_checks: Vec::new(),
        over: false,
    }
}

fn put<'a>(key: &'a str, value: &'a str) -> Put<'a> {
    Put { key: key.as_bytes(), value: value.as_bytes(), flags: 7, deadline: None }
}

#[test]
fn a_lock_is_had_by_one_session_and_let_go_by_it_alone() {
    let mut world = World::new();
    let (a, b) =
        (world.begin("a", Behavior::Release, None, 15), world.begin("b", Behavior::Release, None, 15));
    assert_eq!(world.lock("k", &a), Ok(Locked::Yes));
    assert_eq!(world.lock("k", &b), Ok(Locked::Held));
    assert_eq!(world.lock("k", &a), Ok(Locked::Yes), "it has it");
    assert_eq!(world.beside("k"), Beside { flags: 7, lock_index: 1, session: Some(a.clone()) });
    assert!(!world.unlock("k", &b));
    assert!(world.unlock("k", &a));
    assert_eq!(world.lock("k", &b), Ok(Locked::Yes), "who lets go leaves no delay");
    assert_eq!(world.beside("k").lock_index, 2);
    for (id, error) in [
        ("", NoSession::Missing),
        ("x", NoSession::Malformed),
        (&"0".repeat(36), NoSession::Invalid("0".repeat(36))),
    ] {
        assert_eq!(world.lock("k", id), Err(error));
    }
}

#[test]
fn a_session_whose_time_has_run_out_holds_on_until_its_end_is_carried_out() {
    let mut world = World::new();
    let (a, b) =
        (world.begin("a", Behavior::Release, Some(10), 5), world.begin("b", Behavior::Release, None, 0));
    world.lock("k", &a).unwrap();
    world.pass(Duration::from_secs(9));
    assert!(world.act(|tx| session::renew(tx, &a)).is_some());
    world.pass(Duration::from_secs(9));
    assert_eq!(world.lock("k", &b), Ok(Locked::Held));
    world.pass(Duration::from_secs(1));
    assert!(world.act(|tx| session::renew(tx, &a)).is_none());
    assert_eq!(world.lock("k", &a), Err(NoSession::Invalid(a.clone())));
    assert!(!world.unlock("k", &a), "it has nothing to let go");
    assert_eq!(world.lock("k", &b), Ok(Locked::Held), "nobody has let go of it yet");
    let before = world.index("k");
    assert_eq!(world.end_those_over(), [a]);
    assert!(world.index("k") > before, "who waits for the key is woken");
    assert_eq!(world.beside("k"), Beside { flags: 7, lock_index: 1, session: None });
    assert_eq!(world.lock("k", &b), Ok(Locked::Delayed));
    world.pass(Duration::from_secs(5));
    assert_eq!(world.lock("k", &b), Ok(Locked::Yes));
}

#[test]
fn the_behavior_of_a_session_decides_what_becomes_of_its_keys() {
    let mut world = World::new();
    let id = world.begin("a", Behavior::Delete, None, 0);
    world.lock("k", &id).unwrap();
    world.lock("left", &id).unwrap();
    assert!(world.unlock("left", &id));
    let ended = world.act(|tx| end::end(tx, &id)).unwrap();
    assert_eq!((ended.keys, ended.more), (1, false));
    assert_eq!((world.index("k"), world.index("left").is_some()), (None, true));
    assert_eq!(world.system_keys(), ["kv/left"], "its flags");
    assert_eq!(world.act(|tx| end::end(tx, &id)), None);
}

#[test]
fn what_redis_writes_keeps_the_lock_and_what_it_deletes_ends_it() {
    let mut world = World::new();
    let (a, b) =
        (world.begin("a", Behavior::Release, None, 15), world.begin("b", Behavior::Release, None, 15));
    world.lock("k", &a).unwrap();
    world.redis_set("k");
    assert_eq!(world.beside("k"), Beside { flags: 0, lock_index: 0, session: Some(a.clone()) });
    assert_eq!(world.lock("k", &b), Ok(Locked::Held));
    world.redis_del("k");
    world.redis_set("k");
    assert_eq!(world.beside("k"), Beside::default());
    assert!(!world.unlock("k", &a));
    assert_eq!(world.lock("k", &b), Ok(Locked::Yes));
    world.act(|tx| end::end(tx, &a));
    assert_eq!(world.beside("k").session, Some(b), "the end of the other one does not touch it");
}

#[test]
fn very_many_locks_are_let_go_a_piece_at_a_time() {
    let mut world = World::new();
    let (a, b) =
        (world.begin("a", Behavior::Release, Some(10), 0), world.begin("b", Behavior::Release, None, 0));
    let last = format!("k{:05}", end::PIECE);
    for number in 0..=end::PIECE {
        world.lock(&format!("k{number:05}"), &a).unwrap();
    }
    let ended = world.act(|tx| end::end(tx, &a)).unwrap();
    assert_eq!((ended.keys, ended.more), (end::PIECE, true));
    assert_eq!(world.lock("k00000", &b), Ok(Locked::Yes));
    assert_eq!(world.lock(&last, &b), Ok(Locked::Held));
    assert_eq!(world.lock("new", &a), Err(NoSession::Invalid(a.clone())), "it is over");
    assert_eq!(world.end_those_over(), [a]);
    assert_eq!(world.lock(&last, &b), Ok(Locked::Yes));
}

#[test]
fn what_is_left_over_of_deleted_keys_is_swept_out() {
    let mut world = World::new();
    let id = world.begin("a", Behavior::Release, None, 0);
    for key in ["gone", "kept", "set"] {
        world.lock(key, &id).unwrap();
    }
    world.act(|tx| kv::set(tx, &put("flags", "x")));
    world.redis_del("gone");
    world.redis_set("set");
    world.redis_set("flags");
    let (system, keys) =
        (world.keyspace.keys(Database::System).clone(), world.keyspace.keys(DATABASE).clone());
    assert_eq!(sweep::count(&system), 7);
    let left = sweep::left_over(&system, &keys);
    assert_eq!(left.len(), 3, "{left:?}");
    world.lock("gone", &id).unwrap();
    left.iter().for_each(|name| world.act(|tx| sweep::take_out(tx, name)));
    let left: Vec<String> =
        world.system_keys().into_iter().filter(|key| !key.starts_with("session/")).collect();
    let lock = |key: &str| format!("session-lock/{id}/{key}");
    assert_eq!(left, ["kv/gone", "kv/kept", "kv/set", &lock("gone"), &lock("kept"), &lock("set")]);
}

#[derive(Clone, Debug)]
enum Step {
    Begin(usize, bool, Option<u64>, u64),
    Lock(usize, usize),
    Unlock(usize, usize),
    Renew(usize),
    Destroy(usize),
    PlainPut(usize),
    Delete(usize),
    RedisSet(usize),
    RedisDel(usize),
    RedisRename(usize, usize),
    Pass(u64),
    EndThoseOver,
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let (session, key) = (0..3usize, 0..3usize);
    let ttl = prop_oneof![Just(None), (10..20u64).prop_map(Some)];
    prop_oneof![
        1 => (session.clone(), any::<bool>(), ttl, 0..8u64).prop_map(|(s, d, t, l)| Step::Begin(s, d, t, l)),
        4 => (session.clone(), key.clone()).prop_map(|(s, k)| Step::Lock(s, k)),
        2 => (session.clone(), key.clone()).prop_map(|(s, k)| Step::Unlock(s, k)),
        1 => session.clone().prop_map(Step::Renew),
        1 => session.prop_map(Step::Destroy),
        1 => key.clone().prop_map(Step::PlainPut),
        1 => key.clone().prop_map(Step::Delete),
        1 => key.clone().prop_map(Step::RedisSet),
        1 => key.clone().prop_map(Step::RedisDel),
        1 => (key.clone(), key).prop_map(|(from, to)| Step::RedisRename(from, to)),
        1 => (0..12u64).prop_map(Step::Pass),
        2 => Just(Step::EndThoseOver),
        1 => Just(Step::Sweep),
    ]
}

/// Who holds what, from what clients were told alone.
#[derive(Default)]
struct Told {
    holders: BTreeMap<String, String>,
    /// Until when nobody may have it. Ticks.
    delays: BTreeMap<String, u64>,
    /// With the tick at which its time runs out, and its delay.
    sessions: BTreeMap<String, (Option<u64>, u64, Session)>,
}

impl Told {
    fn lives(&self, id: &str, tick: u64) -> bool {
        self.sessions.get(id).is_some_and(|(until, _, _)| until.is_none_or(|until| tick <= until))
    }

    fn ended(&mut self, id: &str, tick: u64) {
        let Some((_, delay, _)) = self.sessions.remove(id) else { return };
        let held = self.holders.extract_if(.., |_, holder| *holder == id);
        self.delays.extend(held.filter(|_| delay > 0).map(|(key, _)| (key, tick + delay * 1000)));
    }

    fn may_lock(&self, key: &str, id: &str, tick: u64) -> Locked {
        match self.holders.get(key) {
            Some(holder) if holder == id => Locked::Yes,
            Some(_) => Locked::Held,
            None if self.delays.get(key).is_some_and(|until| tick <= *until) => Locked::Delayed,
            None => Locked::Yes,
        }
    }
}

fn take(world: &mut World, told: &mut Told, step: &Step) {
    let key = |number: usize| format!("k{number}");
    let id = |number: usize| format!("{:0>36}", format!("s{number}"));
    let tick = world.now.tick;
    match *step {
        Step::Begin(number, deletes, ttl, delay) => {
            let behavior = if deletes { Behavior::Delete } else { Behavior::Release };
            let session = new_session(&format!("s{number}"), behavior, ttl, delay);
            // Ids are never given twice: the one before has to be gone.
            if !told.sessions.contains_key(&session.id) {
                world.act(|tx| session::create(tx, &session)).unwrap();
                let until = ttl.map(|ttl| tick + ttl * 1000);
                told.sessions.insert(session.id.clone(), (until, delay, session));
            }
        }
        Step::Lock(session, number) => {
            let (id, key) = (id(session), key(number));
            let expect = if told.lives(&id, tick) {
                Ok(told.may_lock(&key, &id, tick))
            } else {
                Err(NoSession::Invalid(id.clone()))
            };
            let got = world.lock(&key, &id);
            assert_eq!(got, expect, "{key} {id}");
            if got == Ok(Locked::Yes) {
                told.holders.insert(key, id);
            }
        }
        Step::Unlock(session, number) => {
            let (id, key) = (id(session), key(number));
            let holds = told.lives(&id, tick) && told.holders.get(&key) == Some(&id);
            assert_eq!(world.unlock(&key, &id), holds);
            if holds {
                told.holders.remove(&key);
            }
        }
        Step::Renew(number) => {
            let id = id(number);
            let lives = told.lives(&id, tick);
            assert_eq!(world.act(|tx| session::renew(tx, &id)).is_some(), lives);
            if let (true, Some((until, _, session))) = (lives, told.sessions.get_mut(&id)) {
                *until = session.lasts.map(|lasts| tick + lasts.as_millis() as u64);
            }
        }
        Step::Destroy(number) => {
            world.act(|tx| end::end(tx, &id(number)));
            told.ended(&id(number), tick);
        }
        Step::PlainPut(number) => world.act(|tx| kv::set(tx, &put(&key(number), "plain"))),
        Step::Delete(number) => {
            world.act(|tx| kv::delete(tx, key(number).as_bytes()));
            told.holders.remove(&key(number));
        }
        Step::RedisSet(number) => world.redis_set(&key(number)),
        Step::RedisDel(number) => {
            world.redis_del(&key(number));
            told.holders.remove(&key(number));
        }
        Step::RedisRename(from, to) if from != to => {
            let (from, to) = (key(from), key(to));
            let places = ((DATABASE, from.as_bytes()), (DATABASE, to.as_bytes()));
            let notices = (Notice::RenameFrom, Notice::RenameTo);
            if world.act(|tx| tx.rename(places.0, places.1, notices)) {
                told.holders.remove(&from);
                told.holders.remove(&to);
            }
        }
        Step::RedisRename(..) => {}
        Step::Pass(seconds) => world.pass(Duration::from_secs(seconds)),
        Step::EndThoseOver => {
            for id in world.end_those_over() {
                assert!(!told.lives(&id, tick), "{id} was not over");
                told.ended(&id, tick);
            }
        }
        Step::Sweep => {
            let (system, keys) =
                (world.keyspace.keys(Database::System).clone(), world.keyspace.keys(DATABASE).clone());
            let left = sweep::left_over(&system, &keys);
            left.iter().for_each(|name| world.act(|tx| sweep::take_out(tx, name)));
        }
    }
}

/// What the store says is what clients were told.
fn compare(world: &mut World, told: &Told) {
    for key in ["k0", "k1", "k2"] {
        assert_eq!(world.beside(key).session.as_ref(), told.holders.get(key), "{key}");
    }
    let system = world.keyspace.keys(Database::System).clone();
    for (listed, over) in session::all(&system) {
        assert_eq!(!over, told.lives(&listed.session.id, world.now.tick), "{}", listed.session.id);
    }
    let of_nobody = |key: &String| {
        key.strip_prefix("session-lock/").is_some_and(|rest| !told.sessions.contains_key(&rest[..36]))
    };
    assert_eq!(world.system_keys().iter().find(|key| of_nobody(key)), None, "an ended session holds nothing");
}

proptest! {
    #[test]
    fn no_lock_is_had_twice_whatever_happens(steps in prop::collection::vec(step(), 1..60)) {
        let (mut world, mut told) = (World::new(), Told::default());
        for step in &steps {
            take(&mut world, &mut told, step);
            compare(&mut world, &told);
        }
    }
}
