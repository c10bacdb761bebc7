//! Sessions and the locks that they hold, compared with what Consul answers.

use std::time::Duration;

use adsum_session::end;
use axum::body::Body;
use serde_json::{Value, json};

use crate::face::{Answer, Face, instance, soon, still_waits};

async fn create(face: &Face, body: Value) -> Answer {
    face.send("PUT /v1/session/create", &[], body.to_string()).await
}

async fn begin(face: &Face, body: Value) -> String {
    let answer = create(face, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["ID"].as_str().unwrap().to_string()
}

async fn put(face: &Face, path: &str) -> String {
    let answer = face.send(&format!("PUT {path}"), &[], "value").await;
    answer.text().to_string()
}

#[tokio::test]
async fn a_session_has_the_shape_and_the_defaults_that_clients_know() {
    let face = Face::new().await;
    let empty = face.send("PUT /v1/session/create", &[], Body::empty()).await;
    let id = empty.json()["ID"].as_str().unwrap().to_string();
    let info = face.get(&format!("/v1/session/info/{id}")).await;
    let index = info.json()[0]["CreateIndex"].clone();
    let expect = json!([{"ID": id, "Name": "", "Node": "node1", "LockDelay": 15_000_000_000_u64,
        "Behavior": "release", "TTL": "", "NodeChecks": ["serfHealth"], "ServiceChecks": null,
        "CreateIndex": index, "ModifyIndex": index}]);
    assert_eq!(info.json(), expect);
    assert!(info.index() >= index.as_u64().unwrap());
    assert_eq!(id.len(), 36);
    let other = json!({"name": "s", "TTL": "10s", "LockDelay": "1s", "behavior": "delete", "NodeChecks": []});
    let other = begin(&face, other).await;
    let listed = face.get("/v1/session/list").await.json();
    let of_node = face.get("/v1/session/node/node1").await.json();
    assert_eq!((listed.as_array().unwrap().len(), &listed), (2, &of_node));
    assert_eq!(face.get("/v1/session/node/other").await.json(), json!([]));
    let renewed = face.send(&format!("PUT /v1/session/renew/{other}"), &[], Body::empty()).await.json();
    assert_eq!((&renewed[0]["TTL"], &renewed[0]["LockDelay"]), (&json!("10s"), &json!(1_000_000_000)));
    assert_eq!((&renewed[0]["Behavior"], &renewed[0]["NodeChecks"]), (&json!("delete"), &json!([])));
}

#[tokio::test]
async fn what_is_no_session_is_refused_in_the_words_of_consul() {
    let face = Face::new().await;
    for (body, status, text) in [
        (json!({"TTL": "5s"}), 500, "Invalid Session TTL '5000000000', must be between [10s=24h0m0s]"),
        (json!({"TTL": "25h"}), 500, "Invalid Session TTL '90000000000000', must be between [10s=24h0m0s]"),
        (json!({"TTL": "abc"}), 500, "Session TTL 'abc' invalid: time: invalid duration \"abc\""),
        (json!({"Behavior": "odd"}), 500, "Invalid Behavior setting 'odd'"),
        (json!({"Node": "none"}), 500, "apply failed: Missing node registration"),
        (json!({"NodeChecks": ["odd"]}), 500, "apply failed: Missing check 'odd' registration"),
        (json!({"Name": 7}), 400, "Request decode failed: 'Name' is no text"),
        (json!([]), 400, "Request decode failed: 'body' is no object"),
    ] {
        let answer = create(&face, body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (status, text), "{body}");
    }
    let none = "00000000-0000-0000-0000-000000000000";
    let malformed = "failed session lookup: index error: UUID must be 36 characters".to_string();
    let invalid = format!("raft apply failed: invalid session \"{none}\"");
    for (line, status, text) in [
        (format!("GET /v1/session/info/{none}"), 200, "[]".to_string()),
        ("GET /v1/session/info/odd".to_string(), 500, malformed),
        (format!("PUT /v1/session/renew/{none}"), 404, format!("Session id '{none}' not found")),
        (format!("PUT /v1/session/destroy/{none}"), 200, "true".to_string()),
        ("PUT /v1/session/destroy/".to_string(), 400, "Missing session".to_string()),
        ("GET /v1/session/node/".to_string(), 400, "Missing node name".to_string()),
        (format!("PUT /v1/kv/lock?acquire={none}"), 500, invalid),
        (format!("PUT /v1/kv/lock?release={none}"), 200, "false".to_string()),
        ("POST /v1/session/create".to_string(), 405, "method POST not allowed".to_string()),
    ] {
        let answer = face.send(&line, &[], Body::empty()).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (status, text.as_str()), "{line}");
    }
    let large = create(&face, json!({"Name": "x".repeat(20_000)})).await;
    assert_eq!(large.status, 413);
}

#[tokio::test]
async fn a_key_is_locked_by_one_session_and_shows_which() {
    let face = Face::new().await;
    let (one, two) = (begin(&face, json!({})).await, begin(&face, json!({"LockDelay": "0s"})).await);
    assert_eq!(put(&face, &format!("/v1/kv/lock?acquire={one}&flags=9")).await, "true");
    assert_eq!(put(&face, &format!("/v1/kv/lock?acquire={two}")).await, "false");
    let entry = face.get("/v1/kv/lock").await.json();
    assert_eq!((&entry[0]["LockIndex"], &entry[0]["Session"]), (&json!(1), &json!(one)));
    assert_eq!(face.get("/v1/kv/?recurse").await.json(), entry);
    assert_eq!(put(&face, "/v1/kv/lock").await, "true");
    let entry = face.get("/v1/kv/lock").await.json();
    assert_eq!((&entry[0]["LockIndex"], &entry[0]["Session"]), (&json!(0), &json!(one)), "a plain put");
    assert_eq!(put(&face, &format!("/v1/kv/lock?release={two}")).await, "false");
    assert_eq!(put(&face, &format!("/v1/kv/lock?release={one}")).await, "true");
    assert_eq!(face.get("/v1/kv/lock").await.json()[0].get("Session"), None);
    assert_eq!(put(&face, &format!("/v1/kv/lock?acquire={two}")).await, "true");
}

#[tokio::test]
async fn the_end_of_a_session_wakes_who_waits_for_its_key_and_the_delay_keeps_others_out() {
    let face = Face::new().await;
    let (one, two) = (begin(&face, json!({"LockDelay": "60s"})).await, begin(&face, json!({})).await);
    put(&face, &format!("/v1/kv/lock?acquire={one}")).await;
    let index = face.get("/v1/kv/lock").await.index();
    let path = format!("/v1/kv/lock?index={index}&wait=60s");
    let mut waits = Box::pin(face.get(&path));
    assert!(still_waits(&mut waits).await);
    assert_eq!(put(&face, &format!("/v1/session/destroy/{one}")).await, "true");
    let woken = soon(waits).await;
    assert_eq!(woken.json()[0].get("Session"), None);
    assert!(woken.index() > index);
    assert_eq!(put(&face, &format!("/v1/kv/lock?acquire={two}")).await, "false", "within the delay");
    let seen = adsum_model::Revision(index);
    let commits = face.store.watch(adsum_keyspace::Space::User, seen).next().await.unwrap();
    let mut notices = commits[0].changes.iter().flat_map(|change| &change.notices);
    assert!(notices.any(|notice| *notice == adsum_keyspace::Notice::Released));
    assert_eq!(face.get(&format!("/v1/session/info/{one}")).await.json(), json!([]));
}

#[tokio::test]
async fn a_session_that_deletes_takes_its_keys_with_it() {
    let face = Face::new().await;
    let id = begin(&face, json!({"Behavior": "delete", "LockDelay": 0})).await;
    put(&face, &format!("/v1/kv/mine?acquire={id}")).await;
    put(&face, "/v1/kv/other").await;
    put(&face, &format!("/v1/session/destroy/{id}")).await;
    assert_eq!(face.get("/v1/kv/?keys").await.json(), json!(["other"]));
}

#[tokio::test]
async fn a_list_of_sessions_blocks_until_one_begins_or_ends() {
    let face = Face::new().await;
    let id = begin(&face, json!({"TTL": "1h"})).await;
    let index = face.get("/v1/session/list").await.index();
    let path = format!("/v1/session/list?index={index}&wait=60s");
    let mut waits = Box::pin(face.get(&path));
    assert!(still_waits(&mut waits).await);
    put(&face, &format!("/v1/session/renew/{id}")).await;
    put(&face, "/v1/kv/else").await;
    assert!(still_waits(&mut waits).await, "a renewal changes nothing that is told");
    face.store.commit(|tx| end::end(tx, &id)).await.unwrap();
    let woken = soon(waits).await;
    assert_eq!(woken.json(), json!([]));
    assert!(woken.index() > index);
    let short = format!("/v1/session/list?index={}&wait=10ms", woken.index());
    let unchanged = soon(face.get(&short)).await;
    assert_eq!(unchanged.index(), woken.index());
}

#[tokio::test]
async fn a_session_is_bound_to_checks_that_are_there_and_not_critical() {
    let face = Face::new().await;
    let well = face.deploy("web").await;
    let check = format!("service:{}", well.id);
    let bound = json!({"ServiceChecks": [{"ID": check}]});
    let id = begin(&face, bound.clone()).await;
    let info = face.get(&format!("/v1/session/info/{id}")).await.json();
    assert_eq!(info[0]["ServiceChecks"], json!([{"ID": check, "Namespace": ""}]));
    let mut ill = instance(7, "web", 2);
    ill.health = adsum_model::Health::Critical;
    let ill = face.put(ill).await;
    let refused = create(&face, json!({"Checks": [format!("service:{}", ill.id)]})).await;
    assert_eq!(refused.text(), format!("apply failed: Check 'service:{}' is in critical state", ill.id));
}

/// How long a session of 10 s that has just begun lasts.
async fn lasts(face: &Face) -> Duration {
    let id = begin(face, json!({"TTL": "10s"})).await;
    let shown = face.get(&format!("/v1/session/info/{id}")).await.json();
    assert_eq!(shown[0]["TTL"], "10s");
    let of_time = format!("session-ttl/{id}");
    let read = face.store.transact(|tx| {
        let deadline = tx.get(adsum_keyspace::Database::System, of_time.as_bytes()).unwrap().deadline;
        deadline.unwrap().rest(tx.now())
    });
    Duration::from_millis(read.0)
}

#[tokio::test]
async fn the_time_of_a_session_is_as_exact_as_that_of_a_key_or_multiplied_as_the_agent_was_told() {
    let exact = lasts(&Face::new().await).await;
    assert!(exact <= Duration::from_secs(10), "{exact:?}");
    let doubled = lasts(&Face::with(|about| about.session_ttl_multiplier = 2).await).await;
    assert!(doubled <= Duration::from_secs(20) && doubled > Duration::from_secs(10), "{doubled:?}");
}
