//! The service of a user, over a real socket, with its database on disk.

#![allow(clippy::unwrap_used)]

mod instance;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use instance::{Instance, text};
use serde_json::{Value, json};
use tempfile::TempDir;

fn api(directory: &TempDir) -> Instance {
    Instance::serving("api", &[("ADSUM_DATA_DIR", text(directory.path()))])
}

fn tweet(id: u64) -> String {
    json!({"id_str": id.to_string(), "text": format!("tweet {id}"), "user": {"screen_name": "Foo_Bar"}})
        .to_string()
}

fn ids(listing: &Value) -> Vec<u64> {
    let id = |tweet: &Value| tweet["id_str"].as_str().unwrap().parse().unwrap();
    listing["tweets"].as_array().unwrap().iter().map(id).collect()
}

#[test]
fn a_tweet_comes_back_byte_by_byte_as_it_came() {
    let directory = tempfile::tempdir().unwrap();
    let api = api(&directory);
    let came = r#"{"id_str":"505874924095815681", "id":505874924095815681, "created_at":"Sun Aug 31 00:29:15 +0000 2014",
        "text":"一生もんのダチ💖\n\ud83d\ude0b \"quoted\"", "user":{"screen_name":"Ayuu_0123","name":"AYUMI"},
        "extra":{"huge":123456789012345678901234567890.10e400,"list":[1.0,null,true]}}"#;
    let created = api.post("/v1/tweet", came);
    assert_eq!((created.status, created.body.as_str()), (201, came));
    assert!(created.head.contains("content-type: application/json"));
    let listed = api.get("/v1/tweet");
    assert_eq!((listed.status, listed.body), (200, format!(r#"{{"tweets":[{came}],"next":null}}"#)));
}

#[test]
fn an_empty_service_lists_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let api = api(&directory);
    assert_eq!(api.get("/v1/tweet").body, r#"{"tweets":[],"next":null}"#);
    assert_eq!(api.get("/healthz").status, 200);
}

#[test]
fn a_repeated_tweet_is_created_again_and_stored_once() {
    let directory = tempfile::tempdir().unwrap();
    let api = api(&directory);
    for _ in 0..3 {
        let created = api.post("/v1/tweet", tweet(7));
        assert_eq!((created.status, created.body), (201, tweet(7)));
    }
    let other =
        json!({"id_str": "7", "text": "another text", "user": {"screen_name": "foo_bar"}}).to_string();
    assert_eq!(api.post("/v1/tweet", other).body, tweet(7), "the first one stays");
    assert_eq!(ids(&api.get("/v1/tweet").json()), [7]);
}

#[test]
fn what_was_acknowledged_survives_kill_9_and_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let first = api(&directory);
    for id in 1..=20 {
        assert_eq!(first.post("/v1/tweet", tweet(id)).status, 201);
    }
    first.kill();
    let second = api(&directory);
    assert_eq!(second.post("/v1/tweet", tweet(20)).status, 201);
    assert_eq!(ids(&second.get("/v1/tweet").json()), (1..=20).rev().collect::<Vec<_>>());
}

#[test]
fn five_hundred_tweets_are_paged_through_newest_first() {
    let directory = tempfile::tempdir().unwrap();
    let api = api(&directory);
    for n in 0..500 {
        api.post("/v1/tweet", tweet(1 + n * 7919 % 500));
    }
    assert_eq!(ids(&api.get("/v1/tweet").json()).len(), 50, "the default");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/v1/tweet?limit=120{cursor}")).json();
        seen.extend(ids(&page));
        // A new tweet between two pages moves none of the older ones.
        api.post("/v1/tweet", tweet(10_000 + seen.len() as u64));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, (1..=500).rev().collect::<Vec<_>>());
}

#[test]
fn bad_input_is_refused_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let api = api(&directory);
    let bodies: [(&[u8], &str); 9] = [
        (b"", "not a JSON object"),
        (b"garbage", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"\xff\xfe", "not UTF-8"),
        (br#"{"text":"a","user":{"screen_name":"a"}}"#, "id_str is missing"),
        (br#"{"id_str":"abc","text":"a","user":{"screen_name":"a"}}"#, "'abc' is not a tweet id"),
        (br#"{"id_str":"1","user":{"screen_name":"a"}}"#, "text is missing"),
        (br#"{"id_str":"1","text":"a"}"#, "user is missing"),
        (br#"{"id_str":"1","text":"a","user":{"name":"a"}}"#, "screen_name is missing"),
    ];
    for (body, reason) in bodies {
        let refused = api.post("/v1/tweet", body);
        assert_eq!(refused.status, 400, "{reason}");
        assert!(refused.error().contains(reason), "{}", refused.body);
    }
    for query in ["limit=0", "limit=201", "limit=ten", "limit=", "cursor=abc", "cursor=-1", "limit=1&limit=2"]
    {
        let refused = api.get(&format!("/v1/tweet?{query}"));
        assert_eq!(refused.status, 400, "{query}");
        assert!(!refused.error().is_empty(), "{query}");
    }
    assert_eq!(api.get("/v1/tweet").body, r#"{"tweets":[],"next":null}"#, "nothing of it was stored");
}

#[test]
fn a_tweet_may_have_64_kib_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let api = api(&directory);
    let sized = |size: usize| {
        let tweet = tweet(1);
        format!("{tweet}{}", " ".repeat(size - tweet.len()))
    };
    assert_eq!(api.post("/v1/tweet", sized(64 * 1024)).status, 201);
    let refused = api.post("/v1/tweet", sized(64 * 1024 + 1));
    assert_eq!(refused.status, 413);
    assert!(!refused.error().is_empty());
}

#[test]
fn other_paths_and_methods_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let api = api(&directory);
    for path in ["/", "/v1/tweets", "/v1/tweet/1", "/../etc/passwd"] {
        assert_eq!(api.get(path).status, 404, "{path}");
    }
    for (method, path) in [("DELETE", "/v1/tweet"), ("PUT", "/v1/tweet"), ("POST", "/healthz")] {
        let refused = api.request(method, path, b"");
        assert_eq!(refused.status, 405, "{method} {path}");
        assert!(refused.head.contains("allow: "), "{}", refused.head);
        assert!(refused.error().contains(method), "{}", refused.body);
    }
}

#[test]
fn a_tweet_that_was_sent_to_the_wrong_service_is_sent_on() {
    let directory = tempfile::tempdir().unwrap();
    let environment =
        [("ADSUM_DATA_DIR", text(directory.path())), ("ADSUM_SERVICE", "chirp-user-someone-else")];
    let refused = Instance::serving("api", &environment).post("/v1/tweet", tweet(1));
    assert_eq!(refused.status, 421);
    assert!(refused.error().contains("the tweet belongs to chirp-user-foo-bar"));
}

#[test]
fn sigterm_ends_it_at_once_though_a_client_keeps_its_connection() {
    let directory = tempfile::tempdir().unwrap();
    let api = api(&directory);
    let mut kept = api.connect();
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(kept.read(&mut [0; 1024]).unwrap() > 0);
    let asked = Instant::now();
    assert!(api.terminate().success());
    // A kept connection that it waited for would keep it for its grace, which is eight seconds.
    assert!(asked.elapsed() < Duration::from_secs(7), "{:?}", asked.elapsed());
}

#[test]
fn a_data_directory_that_is_none_is_named() {
    let environment = [("PORT", "0"), ("ADSUM_DATA_DIR", "/nowhere/at/all")];
    let mut api = Instance::start(&["api"], &environment);
    assert!(api.wait_for_line("chirp: cannot open database /nowhere/at/all/tweets.db").contains("unable"));
    assert!(!api.wait().success());
}

#[test]
fn a_missing_port_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let mut api = Instance::start(&["api"], &[("ADSUM_DATA_DIR", text(directory.path()))]);
    assert!(api.wait_for_line("chirp: PORT is not set").contains("PORT=8000"));
}
