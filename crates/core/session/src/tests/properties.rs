//! What holds whatever clients of both kinds do.

use std::collections::BTreeMap;
use std::time::Duration;

use adsum_keyspace::{Database, Notice};
use proptest::prelude::*;

use super::world::{World, new_session, put};
use crate::kv::{self, DATABASE, Locked, NoSession};
use crate::session::{self, Behavior, Session};
use crate::{end, sweep};

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
    /// With the tick at which its time runs out.
    sessions: BTreeMap<String, (Option<u64>, Session)>,
}

impl Told {
    fn lives(&self, id: &str, tick: u64) -> bool {
        self.sessions.get(id).is_some_and(|(until, _)| until.is_none_or(|until| tick <= until))
    }

    fn ended(&mut self, id: &str, tick: u64) {
        let Some((_, session)) = self.sessions.remove(id) else { return };
        let delay = session.lock_delay.as_millis() as u64;
        let held = self.holders.extract_if(.., |_, holder| *holder == id);
        self.delays.extend(held.filter(|_| delay > 0).map(|(key, _)| (key, tick + delay)));
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

fn key(number: usize) -> String {
    format!("k{number}")
}

fn id(number: usize) -> String {
    format!("{:0>36}", format!("s{number}"))
}

/// Has the store take a step; what it answers follows from what clients were told.
fn take(world: &mut World, told: &mut Told, step: &Step) {
    let tick = world.now.tick;
    match *step {
        Step::Begin(number, deletes, ttl, delay) => {
            let behavior = if deletes { Behavior::Delete } else { Behavior::Release };
            begin(world, told, new_session(&format!("s{number}"), behavior, ttl, delay));
        }
        Step::Lock(session, number) => lock(world, told, &key(number), &id(session)),
        Step::Unlock(session, number) => unlock(world, told, &key(number), &id(session)),
        Step::Renew(number) => renew(world, told, &id(number)),
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
        Step::RedisRename(from, to) if from != to => rename(world, told, &key(from), &key(to)),
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

fn begin(world: &mut World, told: &mut Told, session: Session) {
    // Ids are never given twice: the one before has to be gone.
    if told.sessions.contains_key(&session.id) {
        return;
    }
    world.act(|tx| session::create(tx, &session)).unwrap();
    told.sessions.insert(session.id.clone(), (ends(&session, world.now.tick), session));
}

/// When the time of a session runs out that is begun or renewed now.
fn ends(session: &Session, tick: u64) -> Option<u64> {
    session.lasts.map(|lasts| tick + lasts.as_millis() as u64)
}

fn lock(world: &mut World, told: &mut Told, key: &str, id: &str) {
    let tick = world.now.tick;
    let expect = if told.lives(id, tick) {
        Ok(told.may_lock(key, id, tick))
    } else {
        Err(NoSession::Invalid(id.to_string()))
    };
    let got = world.lock(key, id);
    assert_eq!(got, expect, "{key} {id}");
    if got == Ok(Locked::Yes) {
        told.holders.insert(key.to_string(), id.to_string());
    }
}

fn unlock(world: &mut World, told: &mut Told, key: &str, id: &str) {
    let holds = told.lives(id, world.now.tick) && told.holders.get(key).is_some_and(|holder| holder == id);
    assert_eq!(world.unlock(key, id), holds);
    if holds {
        told.holders.remove(key);
    }
}

fn renew(world: &mut World, told: &mut Told, id: &str) {
    let tick = world.now.tick;
    let lives = told.lives(id, tick);
    assert_eq!(world.act(|tx| session::renew(tx, id)).is_some(), lives);
    if let (true, Some((until, session))) = (lives, told.sessions.get_mut(id)) {
        *until = ends(session, tick);
    }
}

fn rename(world: &mut World, told: &mut Told, from: &str, to: &str) {
    let places = ((DATABASE, from.as_bytes()), (DATABASE, to.as_bytes()));
    let notices = (Notice::RenameFrom, Notice::RenameTo);
    if world.act(|tx| tx.rename(places.0, places.1, notices)) {
        told.holders.remove(from);
        told.holders.remove(to);
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
