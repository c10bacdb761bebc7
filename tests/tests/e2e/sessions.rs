//! Consul's sessions and locks through the binary: across kills of the agent, beside Redis clients, to their end.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, http, require, rounds, until};
use serde_json::{Value, json};

use crate::web;

const SOON: Duration = Duration::from_secs(30);

fn begin(agent: &Agent, body: &Value) -> String {
    let answer = agent.send("PUT", "/v1/session/create", &body.to_string()).ok();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["ID"].as_str().unwrap().to_string()
}

fn put(agent: &Agent, path: &str) -> String {
    agent.send("PUT", path, "value").ok().trim().to_string()
}

fn holder(agent: &Agent, key: &str) -> Option<String> {
    let entry = web::json(agent, &format!("/v1/kv/{key}"));
    entry[0]["Session"].as_str().map(str::to_string)
}

#[test]
fn a_lock_and_its_session_are_there_again_after_a_kill() {
    let mut agent = Agent::start();
    let id = begin(&agent, &json!({"TTL": "1h", "LockDelay": "0s"}));
    let other = begin(&agent, &json!({"LockDelay": "0s"}));
    assert_eq!(put(&agent, &format!("/v1/kv/lock?acquire={id}&flags=7")), "true");
    agent.kill9();
    agent.restart();
    assert_eq!(holder(&agent, "lock"), Some(id.clone()));
    assert_eq!(web::json(&agent, "/v1/kv/lock")[0]["Flags"], 7);
    assert_eq!(put(&agent, &format!("/v1/kv/lock?acquire={other}")), "false");
    assert!(!put(&agent, &format!("/v1/session/renew/{id}")).is_empty());
    assert_eq!(put(&agent, &format!("/v1/session/destroy/{id}")), "true");
    agent.kill9();
    agent.restart();
    assert_eq!(holder(&agent, "lock"), None);
    assert_eq!(put(&agent, &format!("/v1/kv/lock?acquire={other}")), "true");
}

/// The shortest time that Consul takes; it runs out while the agent is there, at once after that is the lock free.
#[test]
fn a_session_that_is_not_renewed_lets_go_of_its_lock() {
    let agent = Agent::start();
    let begun = Instant::now();
    let id = begin(&agent, &json!({"Name": "late", "TTL": "10s", "LockDelay": "0s"}));
    assert_eq!(put(&agent, &format!("/v1/kv/lock?acquire={id}")), "true");
    until("the lock is free", SOON, || holder(&agent, "lock").is_none().then_some(()));
    assert!(begun.elapsed() >= Duration::from_secs(10), "it had its time");
    let events = web::json(&agent, "/api/events?limit=100");
    let ended = events.as_array().unwrap().iter().filter(|event| event["kind"] == "session-ended");
    let messages: Vec<&str> = ended.map(|event| event["message"].as_str().unwrap()).collect();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(
        messages[0].starts_with("session 'late'") && messages[0].ends_with("1 key released"),
        "{messages:?}"
    );
}

#[test]
fn redis_and_consul_clients_share_keys_flags_and_locks_as_documented() {
    let agent = Agent::start();
    let mut redis = Connection::open(agent.resp()).unwrap();
    let id = begin(&agent, &json!({"LockDelay": "60s"}));
    let other = begin(&agent, &json!({}));
    assert_eq!(put(&agent, &format!("/v1/kv/shared?acquire={id}&flags=7")), "true");
    assert_eq!(redis.ask(&["GET", "shared"]).unwrap(), Reply::Text("value".into()));
    redis.ask(&["SET", "shared", "of redis"]).unwrap();
    let entry = &web::json(&agent, "/v1/kv/shared")[0];
    assert_eq!((&entry["Flags"], &entry["Session"]), (&json!(0), &json!(id)), "a SET is a plain PUT");
    redis.ask(&["DEL", "shared"]).unwrap();
    redis.ask(&["SET", "shared", "anew"]).unwrap();
    assert_eq!(holder(&agent, "shared"), None, "a DEL ends the lock");
    assert_eq!(put(&agent, &format!("/v1/kv/shared?release={id}")), "false");
    assert_eq!(put(&agent, &format!("/v1/kv/shared?acquire={other}")), "true");
}

/// Clients that lock, are where only one may be, and unlock.
struct Clients {
    address: SocketAddr,
    /// What they put to lock; without it they go in unasked.
    locks: bool,
    over: AtomicBool,
    turns: AtomicUsize,
    /// How many are inside, as they know themselves.
    inside: AtomicUsize,
    met: AtomicUsize,
}

/// Says that it is over, whatever has happened.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Clients {
    fn new(agent: &Agent, locks: bool) -> Clients {
        let (over, [turns, inside, met]) = (AtomicBool::new(false), [0, 0, 0].map(AtomicUsize::new));
        Clients { address: agent.http(), locks, over, turns, inside, met }
    }

    fn send(&self, path: &str, body: &str) -> Option<String> {
        let answer = http::request(self.address, "PUT", path, &[], body).ok()?;
        (answer.status == 200).then(|| answer.body.trim().to_string())
    }

    fn work(&self) {
        while !self.over.load(Ordering::SeqCst) {
            let Some(made) = self.send("/v1/session/create", "{\"LockDelay\": \"0s\"}") else { continue };
            let made: Value = serde_json::from_str(&made).unwrap();
            let id = made["ID"].as_str().unwrap();
            let acquire = if self.locks { format!("?acquire={id}") } else { String::new() };
            // Who is not told that it has the lock stays outside.
            if self.send(&format!("/v1/kv/lock{acquire}"), "x").is_some_and(|told| told == "true") {
                self.take_a_turn();
            }
            // Nothing is left of it, be the agent there or not.
            while self.send(&format!("/v1/session/destroy/{id}"), "").is_none()
                && !self.over.load(Ordering::SeqCst)
            {}
        }
    }

    fn take_a_turn(&self) {
        if self.inside.fetch_add(1, Ordering::SeqCst) > 0 {
            self.met.fetch_add(1, Ordering::SeqCst);
        }
        // It takes a while to be inside.
        self.send("/v1/kv/inside", "x");
        self.inside.fetch_sub(1, Ordering::SeqCst);
        self.turns.fetch_add(1, Ordering::SeqCst);
    }

    /// Three of them, while `meanwhile` goes on.
    fn run(&self, meanwhile: impl FnOnce()) {
        std::thread::scope(|scope| {
            (0..3).for_each(|_| drop(scope.spawn(|| self.work())));
            let _over = Over(&self.over);
            meanwhile();
        });
    }

    fn until_turns(&self, more: usize) {
        let seen = self.turns.load(Ordering::SeqCst);
        until("turns are taken", SOON, || (self.turns.load(Ordering::SeqCst) >= seen + more).then_some(()));
    }
}

#[test]
fn a_lock_has_one_holder_over_kills_of_the_agent() {
    let mut agent = Agent::start();
    let clients = Clients::new(&agent, true);
    clients.run(|| {
        for _ in 0..rounds(3, 30) {
            clients.until_turns(4);
            agent.kill9();
            agent.restart();
        }
        clients.until_turns(4);
    });
    assert_eq!(clients.met.load(Ordering::SeqCst), 0, "two were inside");
}

/// The control: what the test above looks for is found when nobody locks.
#[test]
fn clients_without_a_lock_meet() {
    let agent = Agent::start();
    let clients = Clients::new(&agent, false);
    let met = || (clients.met.load(Ordering::SeqCst) > 0).then_some(());
    clients.run(|| until("two are inside", SOON, met));
}

#[test]
fn transactions_events_and_queries_answer_through_the_binary() {
    let agent = Agent::start();
    web::create(&agent, "web", &[]);
    let operations = json!([{"KV": {"Verb": "set", "Key": "a", "Value": "eA=="}},
        {"KV": {"Verb": "check-not-exists", "Key": "b"}}]);
    let done: Value =
        serde_json::from_str(&agent.send("PUT", "/v1/txn", &operations.to_string()).ok()).unwrap();
    assert_eq!(done["Results"].as_array().unwrap().len(), 1);
    let mut redis = Connection::open(agent.resp()).unwrap();
    assert_eq!(redis.ask(&["GET", "a"]).unwrap(), Reply::Text("x".into()));
    agent.send("PUT", "/v1/event/fire/deploy?service=web", "now").ok();
    assert_eq!(web::json(&agent, "/v1/event/list")[0]["Name"], "deploy");
    let query = json!({"Name": "webq", "Service": {"Service": "web"}}).to_string();
    agent.send("POST", "/v1/query", &query).ok();
    let found = web::json(&agent, "/v1/query/webq/execute");
    let port = found["Nodes"][0]["Service"]["Port"].as_u64().unwrap();
    if require("dig") {
        let answer = agent.dig(&["webq.query.consul.", "SRV", "+short"]).ok();
        assert!(answer.contains(&format!(" {port} ")), "{answer}");
    }
    assert_eq!(agent.get("/v1/snapshot").status, 200);
}
