//! A keyspace with sessions and keys, and its clock.

use std::time::Duration;

use adsum_keyspace::{Database, Keyspace, Notice, Now, Transaction, Value};

use crate::kv::{self, DATABASE, Locked, NoSession, Put};
use crate::session::{self, Behavior, Session};
use crate::{Beside, end};

/// A keyspace with a clock that stands still unless it is told.
pub(super) struct World {
    pub(super) keyspace: Keyspace,
    pub(super) now: Now,
}

impl World {
    pub(super) fn new() -> World {
        World { keyspace: Keyspace::default(), now: Now { tick: 1_000, wall: 1_000_000 } }
    }

    pub(super) fn act<T>(&mut self, body: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
        self.keyspace.transact(self.now, body).unwrap().reply
    }

    /// Time goes by, and what is due goes.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now.tick += time.as_millis() as u64 + 1;
        while self.keyspace.expire(self.now).is_some() {}
    }

    pub(super) fn begin(&mut self, name: &str, behavior: Behavior, ttl: Option<u64>, delay: u64) -> String {
        let session = new_session(name, behavior, ttl, delay);
        self.act(|tx| session::create(tx, &session)).unwrap();
        session.id
    }

    pub(super) fn lock(&mut self, key: &str, id: &str) -> Result<Locked, NoSession> {
        self.act(|tx| kv::lock(tx, &put(key, "locked"), id))
    }

    pub(super) fn unlock(&mut self, key: &str, id: &str) -> bool {
        self.act(|tx| kv::unlock(tx, &put(key, "free"), id)).unwrap()
    }

    pub(super) fn beside(&mut self, key: &str) -> Beside {
        self.act(|tx| Beside::read(tx, key.as_bytes()))
    }

    pub(super) fn index(&mut self, key: &str) -> Option<u64> {
        self.act(|tx| tx.get(DATABASE, key.as_bytes()).map(|entry| entry.modified.0))
    }

    pub(super) fn redis_set(&mut self, key: &str) {
        self.act(|tx| tx.put(DATABASE, key, Value::String("redis".into()), None, &[Notice::Set]));
    }

    pub(super) fn redis_del(&mut self, key: &str) {
        self.act(|tx| tx.delete(DATABASE, key.as_bytes(), Notice::Del));
    }

    /// What the controller does: ends the sessions that are over.
    pub(super) fn end_those_over(&mut self) -> Vec<String> {
        let system = self.keyspace.keys(Database::System).clone();
        let over: Vec<String> =
            session::all(&system).filter(|(_, over)| *over).map(|(listed, _)| listed.session.id).collect();
        for id in &over {
            while self.act(|tx| end::end(tx, id)).is_some_and(|ended| ended.more) {}
        }
        over
    }

    pub(super) fn system_keys(&self) -> Vec<String> {
        let keys = self.keyspace.keys(Database::System).iter();
        keys.map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect()
    }
}

pub(super) fn new_session(name: &str, behavior: Behavior, ttl: Option<u64>, delay: u64) -> Session {
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

pub(super) fn put<'a>(key: &'a str, value: &'a str) -> Put<'a> {
    Put { key: key.as_bytes(), value: value.as_bytes(), flags: 7, deadline: None }
}
