//! Sessions and locks step by step.

mod properties;
mod world;

use std::time::Duration;

use adsum_keyspace::Database;

use crate::kv::{self, DATABASE, Locked, NoSession};
use crate::session::{self, Behavior};
use crate::{Beside, end, sweep};
use world::{World, put};

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
