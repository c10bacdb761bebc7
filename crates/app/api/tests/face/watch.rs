//! The stream of changes.

use adsum_keyspace::{Database, Notice, Value as Stored};
use axum::body::Body;
use serde_json::{Value, json};

use crate::face::Face;

/// Ids and data of the messages in a text.
fn messages(text: &str) -> Vec<(String, Value)> {
    let blocks = text.split("\n\n").filter(|block| block.contains("data: "));
    let message = |block: &str| {
        let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        (line("id: ").to_string(), serde_json::from_str(line("data: ")).unwrap())
    };
    blocks.map(message).collect()
}

async fn put(face: &Face, key: &str) -> u64 {
    face.send(&format!("PUT /v1/kv/{key}"), &[], "v").await;
    face.get(&format!("/v1/kv/{key}")).await.index()
}

#[tokio::test]
async fn a_watch_sees_every_change_from_a_revision() {
    let face = Face::new().await;
    let before = put(&face, "a/0").await;
    let mut expect = Vec::new();
    for number in 1..=50 {
        let key = format!("a/{number}");
        expect.push((put(&face, &key).await, key));
        put(&face, "b").await;
    }
    let mut stream = face.open(&format!("GET /api/watch?prefix=a/&from={before}"), &[], Body::empty()).await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    let mut text = stream.until("\"a/50\"").await;
    expect.push((put(&face, "a/last").await, "a/last".to_string()));
    text.push_str(&stream.until("\"a/last\"").await);
    let seen = messages(&text);
    let found: Vec<(u64, String)> = seen
        .iter()
        .map(|(_, data)| (data["revision"].as_u64().unwrap(), data["key"].as_str().unwrap().to_string()))
        .collect();
    assert_eq!(found, expect);
    let (id, data) = &seen[0];
    assert_eq!(*id, format!("{}-1", expect[0].0));
    assert_eq!(*data, json!({"event": "set", "key": "a/1", "value": "v", "revision": expect[0].0}));
}

#[tokio::test]
async fn a_watch_goes_on_in_the_middle_of_a_transaction() {
    let face = Face::new().await;
    let put_three = |tx: &mut adsum_keyspace::Transaction<'_>| {
        for key in ["x", "y", "z"] {
            tx.put(Database::User(3), key, Stored::String("v".into()), None, &[Notice::Set]);
        }
        tx.revision().0
    };
    let revision = face.store.commit(put_three).await.unwrap();
    let line = format!("GET /api/watch?db=3&from={}", revision - 1);
    let mut stream = face.open(&line, &[&format!("last-event-id: {revision}-2")], Body::empty()).await;
    let seen = messages(&stream.until("\"z\"").await);
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].0, format!("{revision}-3"));
}

#[tokio::test]
async fn without_a_beginning_a_watch_begins_now() {
    let face = Face::new().await;
    let before = put(&face, "old").await;
    let mut stream = face.open("GET /api/watch", &[], Body::empty()).await;
    assert_eq!(stream.piece().await.unwrap(), format!(": from {before}\nid: {before}\n\n"));
    face.send("DELETE /v1/kv/old", &[], Body::empty()).await;
    let seen = messages(&stream.until("\"old\"").await);
    assert_eq!(seen[0].1["event"], "del");
}

#[tokio::test]
async fn a_watch_from_too_long_ago_is_told_from_where_it_can_begin() {
    let face = Face::new().await;
    let beginning = put(&face, "a").await;
    let value = Stored::String("x".repeat(1024 * 1024).into());
    for _ in 0..20 {
        let value = value.clone();
        face.store.commit(|tx| tx.put(Database::User(1), "big", value, None, &[Notice::Set])).await.unwrap();
    }
    let mut stream = face.open(&format!("GET /api/watch?from={beginning}"), &[], Body::empty()).await;
    let text = stream.until("event: compacted").await;
    let seen = messages(&text);
    assert!(seen[0].1["oldest"].as_u64().unwrap() > beginning);
    assert!(!seen[0].1["error"].as_str().unwrap().contains("too slowly"));
    assert_eq!(stream.piece().await, None);
}

#[tokio::test]
async fn a_watch_that_is_read_too_slowly_is_cut_and_told_why() {
    let face = Face::new().await;
    let mut stream = face.open("GET /api/watch?db=1", &[], Body::empty()).await;
    stream.until("from").await;
    let value = Stored::String("x".repeat(1024 * 1024).into());
    let write = async |count: usize| {
        for _ in 0..count {
            let value = value.clone();
            let put = face.store.commit(|tx| tx.put(Database::User(1), "big", value, None, &[Notice::Set]));
            put.await.unwrap();
        }
    };
    write(1).await;
    stream.until("\"big\"").await;
    write(20).await;
    let text = stream.until("event: compacted").await;
    assert!(text.contains("read too slowly"), "{text}");
    assert_eq!(stream.piece().await, None);
}

#[tokio::test]
async fn a_question_that_cannot_be_read_is_refused() {
    let face = Face::new().await;
    for query in ["db=16", "db=x", "from=x", "from=1-x", "from=1000000"] {
        let answer = face.get(&format!("/api/watch?{query}")).await;
        assert_eq!((answer.status.as_u16(), answer.errors().len()), (400, 1), "{query}");
    }
}
