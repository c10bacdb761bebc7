//! From the stream to the users' services: reader, queue and workers with a real Redis server and real user services.
//!
//! Redis 7 has no compare-and-delete, so here a released lock ends by itself after 30 seconds. Each user therefore
//! tweets once, and where a second worker must have a lock it is deleted by hand.

#![allow(clippy::unwrap_used)]

mod instance;
mod redis_server;
mod stand_in;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use instance::{Instance, text, wait_until};
use redis_server::RedisServer;
use serde_json::Value;
use stand_in::StandIn;
use tempfile::TempDir;

struct Chirp {
    redis: RedisServer,
    adsum: StandIn,
    directory: TempDir,
}

impl Chirp {
    fn start() -> Option<Chirp> {
        let redis = RedisServer::start()?;
        let directory = tempfile::tempdir().unwrap();
        Some(Chirp { adsum: StandIn::start(directory.path()), redis, directory })
    }

    fn run(&self, arguments: &[&str], instance: &str) -> Instance {
        let redis = self.redis.url();
        let environment = [
            ("ADSUM_RESP_ADDR", redis.as_str()),
            ("ADSUM_HTTP_ADDR", &self.adsum.address),
            ("ADSUM_INSTANCE", instance),
        ];
        Instance::start(arguments, &environment)
    }

    fn reader(&self, stream: &std::path::Path) -> Instance {
        self.run(&["reader", "--stream", text(stream)], "reader")
    }

    /// A file of tweets, each by another user.
    fn stream(&self, tweets: u32) -> PathBuf {
        let file = self.directory.path().join("tweets.ndjson");
        std::fs::write(&file, generate(tweets)).unwrap();
        file
    }

    fn ask<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let client = redis::Client::open(self.redis.url()).unwrap();
        redis::cmd(command[0]).arg(&command[1..]).query(&mut client.get_connection().unwrap()).unwrap()
    }

    fn list(&self, key: &str) -> Vec<String> {
        self.ask(&["LRANGE", key, "0", "-1"])
    }

    fn keys(&self, pattern: &str) -> Vec<String> {
        self.ask(&["KEYS", pattern])
    }

    /// What the reader says at the end of its stream.
    fn done(&self) -> Value {
        let done = || self.ask::<Option<String>>(&["GET", "/chirp/reader/done"]);
        serde_json::from_str(&wait_until("the stream is through", done)).unwrap()
    }

    /// Waits until nothing is queued or in anybody's hand.
    fn wait_until_idle(&self) {
        wait_until("every tweet is handled", || {
            let waiting = self.keys("/chirp/queue").len() + self.keys("/chirp/processing/*").len();
            (waiting == 0).then_some(())
        });
    }

    #[track_caller]
    fn check_stored_once(&self, tweets: usize) {
        let stored = self.adsum.tweets();
        let ids: BTreeSet<_> = stored.iter().map(|tweet| tweet["id_str"].to_string()).collect();
        assert_eq!((stored.len(), ids.len()), (tweets, tweets));
    }
}

fn generate(tweets: u32) -> String {
    let tweets = tweets.to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_chirp"))
        .args(["generate", "--tweets", &tweets, "--users", &tweets])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_tweet_of_a_stream_is_stored_once_with_its_user() {
    let Some(chirp) = Chirp::start() else { return };
    let _reader = chirp.reader(&chirp.stream(20));
    let workers: Vec<_> = ["w1", "w2", "w3"].map(|name| chirp.run(&["worker"], name)).into();
    assert_eq!(chirp.done()["pushed"], 20);
    chirp.wait_until_idle();
    chirp.check_stored_once(20);
    assert_eq!(chirp.adsum.services().len(), 20);
    for worker in workers {
        assert!(worker.terminate().success());
    }
    assert_eq!(chirp.keys("/chirp/*").len(), 2, "position and done: {:?}", chirp.keys("/chirp/*"));
}

#[test]
fn a_missing_service_is_deployed_as_this_very_program() {
    let Some(chirp) = Chirp::start() else { return };
    chirp.ask::<u64>(&[
        "LPUSH",
        "/chirp/queue",
        r#"{"id_str":"1","text":"a","user":{"screen_name":"Foo_Bar_"}}"#,
    ]);
    let _worker = chirp.run(&["worker"], "w1");
    let spec = wait_until("it is deployed", || chirp.adsum.spec("chirp-user-foo-bar-x"));
    let expect = serde_json::json!({
        "command": [env!("CARGO_BIN_EXE_chirp"), "api"],
        "replicas": 1,
        "exclusive": true,
        "check": {"kind": "http", "path": "/healthz", "interval": "10s"},
        "tags": ["chirp-user"],
        "env": {"CHIRP_USER": "Foo_Bar_"},
    });
    assert_eq!(spec, expect);
    chirp.wait_until_idle();
    chirp.check_stored_once(1);
}

#[test]
fn a_worker_killed_in_the_middle_loses_nothing() {
    let Some(chirp) = Chirp::start() else { return };
    chirp.adsum.hold_back(true);
    let _reader = chirp.reader(&chirp.stream(5));
    let killed = chirp.run(&["worker"], "killed");
    wait_until("it waits for the service", || chirp.adsum.services().first().cloned());
    let in_hand = chirp.list("/chirp/processing/killed");
    killed.kill();
    assert_eq!((in_hand.len(), chirp.keys("/etc/lock/*").len()), (1, 1));
    let _other = chirp.run(&["worker"], "other");
    chirp.adsum.hold_back(false);
    let taken_over = || (chirp.list("/chirp/processing/other") == in_hand).then_some(());
    wait_until("another worker takes over and waits for the dead one's lock", taken_over);
    for lock in chirp.keys("/etc/lock/*") {
        chirp.ask::<u64>(&["DEL", &lock]);
    }
    chirp.wait_until_idle();
    chirp.check_stored_once(5);
}

#[test]
fn a_worker_asked_to_stop_lets_go_of_what_it_waits_for() {
    let Some(chirp) = Chirp::start() else { return };
    chirp.adsum.hold_back(true);
    let _reader = chirp.reader(&chirp.stream(1));
    let worker = chirp.run(&["worker"], "w1");
    wait_until("it waits for the service", || chirp.adsum.services().first().cloned());
    assert!(worker.terminate().success());
    assert_eq!(chirp.ask::<u64>(&["LLEN", "/chirp/queue"]), 1);
    assert_eq!(chirp.keys("/chirp/processing/*").len() + chirp.keys("/chirp/workers/*").len(), 0);
}

#[test]
fn a_worker_outlives_a_restart_of_adsum_and_keeps_its_tweet() {
    let Some(mut chirp) = Chirp::start() else { return };
    chirp.adsum.hold_back(true);
    let _reader = chirp.reader(&chirp.stream(5));
    assert_eq!(chirp.done()["pushed"], 5);
    let mut worker = chirp.run(&["worker"], "w1");
    wait_until("it waits for the service", || chirp.adsum.services().first().cloned());
    chirp.redis.restart();
    chirp.adsum.hold_back(false);
    worker.wait_for_line("SET failed, trying again");
    chirp.wait_until_idle();
    chirp.check_stored_once(5);
    assert!(worker.terminate().success());
}

#[test]
fn poison_is_put_aside_and_holds_up_nobody() {
    let Some(chirp) = Chirp::start() else { return };
    let tweet =
        |id: u32, user: &str| format!(r#"{{"id_str":"{id}","text":"a","user":{{"screen_name":"{user}"}}}}"#);
    for item in ["garbage", &tweet(1, "before"), "{}", &tweet(2, "refused"), &tweet(3, "after")] {
        chirp.ask::<u64>(&["LPUSH", "/chirp/queue", item]);
    }
    let _worker = chirp.run(&["worker"], "w1");
    chirp.wait_until_idle();
    chirp.check_stored_once(2);
    let dead = chirp.list("/chirp/dead");
    for (dead, reason) in dead.iter().zip(["no such service here", "user is missing", "not a JSON object"]) {
        assert!(dead.contains(reason), "{dead}");
    }
    assert_eq!(dead.len(), 3);
}

#[test]
fn bad_lines_are_counted_and_the_rest_is_queued() {
    let Some(chirp) = Chirp::start() else { return };
    let file = chirp.directory.path().join("tweets.ndjson");
    let tweets = generate(3);
    let mut stream = Vec::new();
    for tweet in tweets.lines() {
        stream.extend(format!("garbage\n{tweet}\r\n\n{{\"delete\":{{}}}}\n").into_bytes());
        stream.extend(b"\xff\xfe\n");
        stream.extend(vec![b'a'; 3 * 1024 * 1024]);
        stream.push(b'\n');
    }
    std::fs::write(&file, &stream).unwrap();
    let mut reader = chirp.reader(&file);
    let done = chirp.done();
    let counts =
        ["position", "lines", "pushed", "filtered", "bad"].map(|count| done[count].as_u64().unwrap());
    assert_eq!(counts, [stream.len() as u64, 18, 3, 0, 12]);
    assert!(reader.wait_for_line("skipped line=1 reason=").contains("not a JSON object"));
    assert!(reader.terminate().success(), "it stays until asked to stop");
}

#[test]
fn the_reader_queues_only_what_is_tracked() {
    let Some(chirp) = Chirp::start() else { return };
    let stream = chirp.stream(100);
    let _reader = chirp.run(&["reader", "--stream", text(&stream), "--track", "#RUST"], "reader");
    let (done, with_rust) =
        (chirp.done(), generate(100).lines().filter(|line| line.contains("#rust")).count());
    assert!(with_rust > 0);
    assert_eq!((done["pushed"].as_u64().unwrap(), done["filtered"].as_u64().unwrap()), {
        let with_rust = with_rust as u64;
        (with_rust, 100 - with_rust)
    });
}

#[test]
fn a_reader_killed_in_the_middle_goes_on_and_misses_nothing() {
    let Some(chirp) = Chirp::start() else { return };
    let reader = || chirp.run(&["reader", "--tweets", "100", "--users", "100", "--rate", "200"], "reader");
    let killed = reader();
    wait_until("it is in the middle", || (chirp.ask::<u64>(&["LLEN", "/chirp/queue"]) > 40).then_some(()));
    killed.kill();
    let _again = reader();
    assert_eq!(chirp.done()["lines"], 100);
    let queued = chirp.list("/chirp/queue");
    let different: BTreeSet<_> = queued.iter().map(String::as_str).collect();
    assert_eq!(different, generate(100).lines().collect());
}
