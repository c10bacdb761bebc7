//! The `redis` crate, in RESP2 and in RESP3: typed answers, pipelines, transactions, scripts, subscriptions, streams.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use adsum_tests::redis::Redis;
use adsum_tests::{Agent, require, until};
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{
    Client, Connection, ErrorKind, ExistenceCheck, FromRedisValue, IntoConnectionInfo, ProtocolVersion,
    RedisResult, Script, SetExpiry, SetOptions, TypedCommands, pipe, transaction,
};

const SOON: Duration = Duration::from_secs(20);

/// With a client of each protocol, at the agent and at redis-server where that is there.
#[track_caller]
fn check(examine: impl Fn(&Client)) {
    let agent = Agent::start();
    with_each_protocol(&agent.resp().to_string(), &examine);
    if require("redis-server") {
        let redis = Redis::start(&[]);
        with_each_protocol(&redis.address().to_string(), &examine);
    }
}

fn with_each_protocol(address: &str, examine: &impl Fn(&Client)) {
    for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
        let info = format!("redis://{address}").into_connection_info().unwrap();
        let settings = info.redis_settings().clone().set_protocol(protocol);
        let client = Client::open(info.set_redis_settings(settings)).unwrap();
        redis::cmd("FLUSHDB").exec(&mut connect(&client)).unwrap();
        examine(&client);
    }
}

fn connect(client: &Client) -> Connection {
    let connection = client.get_connection().unwrap();
    connection.set_read_timeout(Some(SOON)).unwrap();
    connection
}

fn ask<T: FromRedisValue>(connection: &mut Connection, words: &str) -> RedisResult<T> {
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    words.for_each(|word| {
        command.arg(word);
    });
    command.query(connection)
}

#[test]
fn answers_become_the_types_that_are_asked_for() {
    check(|client| {
        let mut connection = connect(client);
        let options =
            SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(SetExpiry::PX(60_000));
        assert_eq!(connection.set_options("lock", "mine", options.clone()), Ok(Some("OK".to_string())));
        assert_eq!(connection.set_options("lock", "theirs", options), Ok(None));
        assert!((1..=60_000).contains(&ask(&mut connection, "PTTL lock").unwrap()));
        assert_eq!(ask(&mut connection, "INCRBYFLOAT f 0.5"), Ok(0.5));
        assert_eq!(ask(&mut connection, "HSET h one 1 two 2"), Ok(2));
        let hash: HashMap<String, i64> = ask(&mut connection, "HGETALL h").unwrap();
        assert_eq!(hash, HashMap::from([("one".to_string(), 1), ("two".to_string(), 2)]));
        assert_eq!(ask(&mut connection, "ZADD z 1 a 2.5 b"), Ok(2));
        let ranked: Vec<(String, f64)> = ask(&mut connection, "ZRANGE z 0 -1 WITHSCORES").unwrap();
        assert_eq!(ranked, [("a".to_string(), 1.0), ("b".to_string(), 2.5)]);
        assert_eq!(ask(&mut connection, "SISMEMBER s a"), Ok(false));
        let error = ask::<i64>(&mut connection, "LPUSH lock x").unwrap_err();
        assert_eq!((error.code(), error.kind()), (Some("WRONGTYPE"), ErrorKind::Extension));
    });
}

#[test]
fn a_transaction_is_tried_again_until_nobody_was_in_between() {
    check(|client| {
        let mut connection = connect(client);
        connection.set("n", 0).unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..25).for_each(|_| count(&mut connect(client))));
            }
        });
        assert_eq!(ask(&mut connection, "GET n"), Ok(100));
        let answers: (String, Vec<String>, i64) = pipe()
            .atomic()
            .set("a", 1)
            .rpush("l", "x")
            .ignore()
            .lrange("l", 0, -1)
            .incr("a", 2)
            .query(&mut connection)
            .unwrap();
        assert_eq!(answers, ("OK".to_string(), vec!["x".to_string()], 3));
    });
}

/// Reads, and writes one more if it is still what was read.
fn count(connection: &mut Connection) {
    let done: RedisResult<(i64,)> = transaction(connection, &["n"], |connection, pipe| {
        let seen: i64 = redis::cmd("GET").arg("n").query(connection)?;
        pipe.set("n", seen + 1).ignore().get("n").query(connection)
    });
    done.unwrap();
}

#[test]
fn a_script_is_loaded_when_the_server_does_not_know_it() {
    check(|client| {
        let mut connection = connect(client);
        ask::<String>(&mut connection, "SCRIPT FLUSH").unwrap();
        let release = Script::new(
            "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end",
        );
        connection.set("lock", "mine").unwrap();
        assert_eq!(release.key("lock").arg("theirs").invoke(&mut connection), Ok(0));
        assert_eq!(release.key("lock").arg("mine").invoke(&mut connection), Ok(1));
    });
}

#[test]
fn subscribers_hear_what_is_published_and_what_expires() {
    check(|client| {
        let (mut listening, mut connection) = (connect(client), connect(client));
        ask::<String>(&mut connection, "CONFIG SET notify-keyspace-events KEA").unwrap();
        let mut pubsub = listening.as_pubsub();
        pubsub.subscribe("news").unwrap();
        pubsub.psubscribe("__keyevent@0__:expire?").unwrap();
        assert_eq!(ask(&mut connection, "PUBLISH news hello"), Ok(1));
        connection.pset_ex("switch", "on", 30).unwrap();
        let heard: Vec<(String, String)> = (0..2)
            .map(|_| pubsub.get_message().unwrap())
            .map(|message| (message.get_channel_name().to_string(), message.get_payload().unwrap()))
            .collect();
        let expired = ("__keyevent@0__:expired".to_string(), "switch".to_string());
        assert_eq!(heard, [("news".to_string(), "hello".to_string()), expired]);
    });
}

#[test]
fn a_consumer_waits_for_what_is_added_to_its_stream() {
    check(|client| {
        let mut connection = connect(client);
        ask::<String>(&mut connection, "XGROUP CREATE work workers $ MKSTREAM").unwrap();
        let waiting = thread::spawn({
            let mut consumer = connect(client);
            let options = StreamReadOptions::default().group("workers", "a").block(15_000).count(1);
            move || -> Option<StreamReadReply> {
                consumer.xread_options(&["work"], &[">"], &options).unwrap()
            }
        });
        until("somebody waits", SOON, || {
            let clients: String = ask(&mut connection, "INFO clients").unwrap();
            clients.contains("blocked_clients:1").then_some(())
        });
        let id: String = ask(&mut connection, "XADD work * job 1").unwrap();
        let stream = waiting.join().unwrap().unwrap().keys.remove(0);
        assert_eq!((stream.key.as_str(), stream.ids[0].id.as_str()), ("work", id.as_str()));
        assert_eq!(stream.ids[0].get("job"), Some(1));
        assert_eq!(ask(&mut connection, &format!("XACK work workers {id}")), Ok(1));
    });
}

#[test]
fn many_tasks_share_one_connection() {
    check(|client| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let connection = client.get_multiplexed_async_connection().await.unwrap();
            let tasks: Vec<_> = (0..500)
                .map(|_| {
                    let mut connection = connection.clone();
                    tokio::spawn(async move {
                        redis::cmd("INCR").arg("n").query_async::<i64>(&mut connection).await
                    })
                })
                .collect();
            let mut counts = Vec::new();
            for task in tasks {
                counts.push(task.await.unwrap().unwrap());
            }
            counts.sort_unstable();
            assert_eq!(counts, (1..=500).collect::<Vec<_>>());
        });
    });
}
