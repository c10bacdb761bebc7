//! What keys held and what happened to them.

use serde_json::json;

use crate::face::Face;

async fn put(face: &Face, key: &str, value: &str) -> u64 {
    face.send(&format!("PUT /v1/kv/{key}"), &[], value.to_string()).await;
    face.get(&format!("/v1/kv/{key}")).await.index()
}

#[tokio::test]
async fn the_history_of_a_key_has_its_changes_and_no_others() {
    let face = Face::new().await;
    let first = put(&face, "a", "1").await;
    put(&face, "ab", "x").await;
    let second = put(&face, "a", "2").await;
    face.send("DELETE /v1/kv/a", &[], "").await;
    let history = face.get("/api/kv/history?key=a").await.json();
    let events = history["events"].as_array().unwrap();
    let told: Vec<_> =
        events.iter().map(|event| (&event["event"], &event["value"], &event["revision"])).collect();
    let (set, del) = (json!("set"), json!("del"));
    assert_eq!(told[0], (&set, &json!("1"), &json!(first)));
    assert_eq!(told[1], (&set, &json!("2"), &json!(second)));
    assert_eq!((told[2].0, told.len()), (&del, 3));
    assert_eq!(events[0]["id"], format!("{first}-1"));
    assert!(events[0]["time"].as_u64().unwrap() > 1_600_000_000_000);
    assert_eq!(
        (&history["key"], &history["oldest"], &history["more"]),
        (&json!("a"), &json!(0), &json!(false))
    );
    let newest = face.get("/api/kv/history?key=a&limit=1").await.json();
    assert_eq!((newest["events"].as_array().unwrap().len(), &newest["more"]), (1, &json!(true)));
}

#[tokio::test]
async fn a_value_is_read_as_of_a_revision() {
    let face = Face::new().await;
    let first = put(&face, "a", "1").await;
    let second = put(&face, "a", "2").await;
    let value = face.get(&format!("/api/kv/value?key=a&rev={first}")).await.json();
    let expect = json!({"key": "a", "type": "string", "value": "1", "created": first, "modified": first,
        "revision": first});
    assert_eq!(value, expect);
    assert_eq!(face.get(&format!("/api/kv/value?key=a&rev={second}&raw")).await.text(), "2");
    assert_eq!(face.get("/api/kv/value?key=a").await.json()["value"], "2");
    let before = face.get(&format!("/api/kv/value?key=a&rev={}", first - 1)).await;
    assert_eq!(before.status, 404);
}

#[tokio::test]
async fn a_question_about_the_past_that_has_no_answer_says_why() {
    let face = Face::new().await;
    let first = put(&face, "a", "1").await;
    let big = "x".repeat(500 * 1024);
    for _ in 0..40 {
        put(&face, "b", &big).await;
    }
    let gone = face.get(&format!("/api/kv/value?key=a&rev={first}")).await;
    let oldest = face.get("/api/kv/history?key=a").await.json()["oldest"].as_u64().unwrap();
    assert_eq!(gone.status, 410);
    assert!(gone.errors()[0].contains(&format!("can be read is {oldest}")), "{:?}", gone.errors());
    for query in ["", "?key=", "?key=a&db=16", "?key=a&rev=x", "?key=a&rev=9999999"] {
        assert_eq!(face.get(&format!("/api/kv/value{query}")).await.status, 400, "{query}");
    }
}
