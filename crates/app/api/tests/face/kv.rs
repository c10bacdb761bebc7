//! The KV store, compared with what Consul answers.

use adsum_keyspace::{Database, List, Notice, Value as Stored};
use axum::body::Body;
use serde_json::{Value, json};

use crate::face::{Answer, Face};

async fn put(face: &Face, key: &str, value: &str) {
    let answer = face.send(&format!("PUT /v1/kv/{key}"), &[], value.to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "true"), "{key}");
}

async fn delete(face: &Face, key: &str) -> Answer {
    face.send(&format!("DELETE /v1/kv/{key}"), &[], Body::empty()).await
}

async fn put_list(face: &Face, key: &str) {
    let mut list = List::default();
    list.splice(0, 0, &["x".into()]);
    let put =
        face.store.commit(|tx| tx.put(Database::User(0), key, Stored::List(list), None, &[Notice::Lpush]));
    put.await.unwrap();
}

#[tokio::test]
async fn an_entry_has_the_shape_that_clients_know() {
    let face = Face::new().await;
    put(&face, "a/b", "hello").await;
    put(&face, "a/b", "hello2").await;
    let answer = face.get("/v1/kv/a/b").await;
    let index = answer.index();
    assert_eq!(
        answer.json(),
        json!([{"LockIndex": 0, "Key": "a/b", "Flags": 0, "Value": "aGVsbG8y", "CreateIndex": index - 1,
            "ModifyIndex": index}])
    );
    assert_eq!(answer.header("x-consul-effective-consistency"), None);
    assert_eq!(answer.header("x-consul-knownleader"), Some("true"));
    put(&face, "empty", "").await;
    assert_eq!(face.get("/v1/kv/empty").await.json()[0]["Value"], Value::Null);
}

#[tokio::test]
async fn a_raw_value_is_text_that_nobody_runs() {
    let face = Face::new().await;
    put(&face, "page", "<script>").await;
    let answer = face.get("/v1/kv/page?raw").await;
    assert_eq!(answer.text(), "<script>");
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("content-security-policy"), Some("sandbox"));
}

#[tokio::test]
async fn keys_and_values_are_bytes_decoded_once() {
    let face = Face::new().await;
    let binary: Vec<u8> = (0..=255).collect();
    for (path, key) in [
        ("%2Fetc%2Flock", &b"/etc/lock"[..]),
        ("a//b/../c", b"a//b/../c"),
        ("%252F", b"%2F"),
        ("%00%ff+", b"\x00\xff+"),
        ("sp%20ace/%C3%A9", "sp ace/é".as_bytes()),
        ("/leading", b"/leading"),
    ] {
        let answer = face.send(&format!("PUT /v1/kv/{path}"), &[], binary.clone()).await;
        assert_eq!(answer.text(), "true", "{path}");
        let there = face.store.transact(|tx| tx.get(Database::User(0), key).is_some()).0;
        assert!(there, "{}", key.escape_ascii());
        assert_eq!(face.get(&format!("/v1/kv/{path}?raw")).await.body, binary);
    }
    assert_eq!(face.get("/v1/kv/a%zz").await.status, 400);
}

#[tokio::test]
async fn what_is_not_there_is_404_with_an_index_and_nothing_else() {
    let face = Face::new().await;
    for path in ["none", "none?raw", "none?recurse", "none?keys"] {
        let answer = face.get(&format!("/v1/kv/{path}")).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (404, ""), "{path}");
        assert!(answer.index() >= 1);
    }
    assert_eq!(face.get("/v1/kv/?keys").await.text(), "[]");
    for line in ["GET", "PUT", "DELETE"] {
        let answer = face.send(&format!("{line} /v1/kv/"), &[], Body::empty()).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (400, "Missing key name"));
    }
}

#[tokio::test]
async fn prefixes_list_entries_keys_and_levels() {
    let face = Face::new().await;
    for (key, value) in [("a/b", "1"), ("a/c/d", ""), ("a/c/e", "x"), ("new", "n")] {
        put(&face, key, value).await;
    }
    put_list(&face, "a/list").await;
    let entries = face.get("/v1/kv/a?recurse").await.json();
    let keys: Vec<&str> =
        entries.as_array().unwrap().iter().map(|entry| entry["Key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["a/b", "a/c/d", "a/c/e"]);
    assert_eq!(face.get("/v1/kv/a/?keys").await.json(), json!(["a/b", "a/c/d", "a/c/e"]));
    assert_eq!(face.get("/v1/kv/a/?keys&separator=/").await.json(), json!(["a/b", "a/c/"]));
    assert_eq!(face.get("/v1/kv/?keys&seperator=/").await.json(), json!(["a/", "new"]));
    assert_eq!(delete(&face, "a?recurse").await.text(), "true");
    assert_eq!(face.get("/v1/kv/?keys").await.json(), json!(["new"]));
    assert!(
        face.store.transact(|tx| tx.get(Database::User(0), b"a/list").is_some()).0,
        "a list is not listed"
    );
}

#[tokio::test]
async fn a_compare_and_set_is_done_when_the_index_is_the_one() {
    let face = Face::new().await;
    let cas = async |method: &str, cas: u64| {
        face.send(&format!("{method} /v1/kv/k?cas={cas}"), &[], "v").await.text().to_string()
    };
    assert_eq!(cas("PUT", 7).await, "false");
    assert_eq!(cas("PUT", 0).await, "true");
    assert_eq!(cas("PUT", 0).await, "false");
    let index = face.get("/v1/kv/k").await.index();
    assert_eq!(cas("PUT", index).await, "true");
    assert_eq!(cas("PUT", index).await, "false");
    assert_eq!(cas("DELETE", 0).await, "false");
    assert_eq!(cas("DELETE", index).await, "false");
    assert_eq!(cas("DELETE", index + 1).await, "true");
    assert_eq!(delete(&face, "k").await.text(), "true");
}

#[tokio::test]
async fn flags_that_conflict_or_cannot_be_read_are_refused_in_the_words_of_consul() {
    let face = Face::new().await;
    let refused = async |line: &str| {
        let answer = face.send(line, &[], "z").await;
        (answer.status.as_u16(), answer.text().to_string())
    };
    let parse = |why: &str| (500, format!("strconv.ParseUint: parsing {why}"));
    let conflict = |what: &str| (400, format!("Conflicting flags: {what}"));
    let missing = "raft apply failed: failed session lookup: index error: UUID must be 36 characters";
    for (line, expect) in [
        ("PUT /v1/kv/a?acquire=x&release=y", conflict("acquire=x&release=y")),
        ("DELETE /v1/kv/a?recurse&cas=1", conflict("cas=1&recurse=")),
        ("PUT /v1/kv/a?flags=abc", parse("\"abc\": invalid syntax")),
        ("PUT /v1/kv/a?cas=abc", parse("\"abc\": invalid syntax")),
        ("PUT /v1/kv/a?cas=", parse("\"\": invalid syntax")),
        ("PUT /v1/kv/a?cas", parse("\"\": invalid syntax")),
        ("PUT /v1/kv/a?flags=", parse("\"\": invalid syntax")),
        ("PUT /v1/kv/a?flags=%2B1", parse("\"+1\": invalid syntax")),
        ("DELETE /v1/kv/a?cas=", parse("\"\": invalid syntax")),
        ("PUT /v1/kv/a?flags=18446744073709551616", parse("\"18446744073709551616\": value out of range")),
        ("PUT /v1/kv/a?acquire=x", (500, missing.to_string())),
        ("PUT /v1/kv/a?acquire", (500, "raft apply failed: missing session".to_string())),
        (
            "PUT /v1/kv/a?ttl=x",
            (400, "ttl 'x' is no duration: write it like 500ms, 30s, 5m or 1h30m".to_string()),
        ),
    ] {
        assert_eq!(refused(line).await, expect, "{line}");
    }
    assert_eq!(face.get("/v1/kv/a").await.status, 404);
}

#[tokio::test]
async fn flags_are_kept_until_somebody_else_writes() {
    let face = Face::new().await;
    assert_eq!(face.send("PUT /v1/kv/a?flags=18446744073709551615", &[], "x").await.text(), "true");
    assert_eq!(face.get("/v1/kv/a").await.json()[0]["Flags"], json!(u64::MAX));
    assert_eq!(face.get("/v1/kv/?recurse").await.json()[0]["Flags"], json!(u64::MAX));
    let redis = |tx: &mut adsum_keyspace::Transaction<'_>| {
        tx.put(Database::User(0), "a", Stored::String("redis".into()), None, &[Notice::Set]);
    };
    face.store.commit(redis).await.unwrap();
    assert_eq!(face.get("/v1/kv/a").await.json()[0]["Flags"], 0);
    let index = face.get("/v1/kv/a").await.index();
    assert_eq!(face.send(&format!("PUT /v1/kv/a?flags=3&cas={index}"), &[], "x").await.text(), "true");
    assert_eq!(face.get("/v1/kv/a").await.json()[0]["Flags"], 3);
    put(&face, "a", "plain").await;
    assert_eq!(face.get("/v1/kv/a").await.json()[0]["Flags"], 0);
}

#[tokio::test]
async fn a_time_to_live_can_be_put_with_the_value() {
    let face = Face::new().await;
    assert_eq!(face.send("PUT /v1/kv/a?ttl=30s", &[], "x").await.text(), "true");
    let (entry, now) = face.store.transact(|tx| (tx.get(Database::User(0), b"a").cloned(), tx.now())).0;
    let rest = entry.unwrap().deadline.unwrap().rest(now);
    assert!((20_000..=30_000).contains(&rest), "{rest}");
}

#[tokio::test]
async fn other_types_say_what_they_are_and_are_overwritten() {
    let face = Face::new().await;
    put_list(&face, "queue").await;
    let answer = face.get("/v1/kv/queue").await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("'queue' holds a list"), "{}", answer.text());
    put(&face, "queue", "text").await;
    assert_eq!(face.get("/v1/kv/queue?raw").await.text(), "text");
}

#[tokio::test]
async fn a_put_takes_the_time_to_live_away() {
    let face = Face::new().await;
    let deadline = adsum_keyspace::Deadline::after(3_600_000, face.store.now());
    let value = Stored::String("v".into());
    face.store
        .commit(|tx| tx.put(Database::User(0), "k", value, Some(deadline), &[Notice::Set]))
        .await
        .unwrap();
    put(&face, "k", "w").await;
    let left = face.store.transact(|tx| tx.get(Database::User(0), b"k").map(|entry| entry.deadline)).0;
    assert_eq!(left, Some(None));
}
