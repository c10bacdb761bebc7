//! Wishes: created, changed, refused whole, and done once.

use axum::body::Body;
use serde_json::json;

use crate::face::{Answer, Face};

const JSON: &str = "content-type: application/json";

fn web() -> serde_json::Value {
    json!({"command": ["serve"], "check": {"kind": "http", "path": "/healthz", "interval": "10s"}})
}

#[tokio::test]
async fn a_service_is_created_replaced_and_left_alone() {
    let face = Face::new().await;
    let created = face.write("PUT /api/services/web", &web()).await;
    assert_eq!((created.status.as_u16(), &created.json()["what"]), (201, &json!("created")));
    assert_eq!(created.json()["service"]["spec"]["check"]["path"], "/healthz");
    let same = face.write("PUT /api/services/web", &web()).await;
    assert_eq!((same.status.as_u16(), &same.json()["what"]), (200, &json!("nothing")));
    let mut other = web();
    other["replicas"] = json!(3);
    assert_eq!(face.write("PUT /api/services/web", &other).await.json()["what"], "changed");
    other["env"] = json!({"A": "1"});
    let new = face.write("PUT /api/services/web", &other).await.json();
    assert_eq!((&new["what"], &new["service"]["version"]), (&json!("new-version"), &json!(2)));
    assert_eq!(face.get("/api/services/web").await.index(), new["revision"].as_u64().unwrap());
}

#[tokio::test]
async fn a_condition_that_does_not_hold_is_412() {
    let face = Face::new().await;
    let put = async |condition: &str| {
        face.send("PUT /api/services/web", &[JSON, condition], web().to_string()).await.status.as_u16()
    };
    assert_eq!(put("if-match: *").await, 412);
    assert_eq!(put("if-none-match: *").await, 201);
    assert_eq!(put("if-none-match: *").await, 412);
    assert_eq!(put("if-match: *").await, 200);
    assert_eq!(put("if-match: \"7\"").await, 400);
}

#[tokio::test]
async fn three_mistakes_are_three_errors_and_nothing_is_done() {
    let face = Face::new().await;
    let body = json!({"command": [], "replicas": -3, "check": {"kind": "htp"}});
    let answer = face.write("PUT /api/services/web", &body).await;
    assert_eq!(answer.status, 422);
    assert_eq!(
        answer.errors(),
        [
            "replicas: '-3' is out of range: give 0 to 10000",
            "command: '' names no program: give a program and its arguments as a list",
            "check.kind: 'htp' is unknown: give one of http, tcp, command, process",
        ]
    );
    assert_eq!(face.get("/api/services/web").await.status, 404);
}

#[tokio::test]
async fn mistakes_of_form_and_of_content_are_told_together() {
    let face = Face::new().await;
    let body = json!({"command": "serve", "replicas": 20000, "colour": "red"});
    let answer = face.write("PUT /api/services/We_b", &body).await;
    assert_eq!((answer.status.as_u16(), answer.errors().len()), (422, 4), "{}", answer.text());
    let broken = face.send("PUT /api/services/web", &[JSON], "{").await;
    assert_eq!(broken.status, 400);
    assert!(broken.errors()[0].starts_with("the body is no JSON"));
    assert_eq!(face.write("PATCH /api/services/web", &json!([1])).await.status, 422);
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let face = Face::new().await;
    let mut body = web();
    body["env"] = json!({"A": "1", "B": "2"});
    face.write("PUT /api/services/web", &body).await;
    let patch = json!({"env": {"A": null, "C": "3"}, "check": {"kind": "tcp"}, "replicas": 2});
    let kind = ["content-type: application/merge-patch+json"];
    let answer = face.send("PATCH /api/services/web", &kind, patch.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let spec = &answer.json()["service"]["spec"];
    assert_eq!(spec["env"], json!({"B": "2", "C": "3"}));
    assert_eq!((&spec["check"]["kind"], &spec["check"]["interval"]), (&json!("tcp"), &json!("10s")));
    assert_eq!((&spec["replicas"], &spec["command"]), (&json!(2), &json!(["serve"])));
    let wrong = face.write("PATCH /api/services/web", &json!({"command": null, "replicas": -1})).await;
    assert_eq!((wrong.status.as_u16(), wrong.errors().len()), (422, 2));
}

#[tokio::test]
async fn services_are_scaled_alone_and_all_or_none() {
    let face = Face::new().await;
    for name in ["a", "b"] {
        face.write(&format!("PUT /api/services/{name}"), &web()).await;
    }
    let one = face.write("POST /api/services/a/scale", &json!({"replicas": 3})).await.json();
    assert_eq!((&one["what"], &one["service"]["spec"]["replicas"]), (&json!("changed"), &json!(3)));
    let refused = face.write("POST /api/services/a/scale", &json!({"replicas": 10001})).await;
    assert_eq!((refused.status.as_u16(), refused.errors().len()), (422, 1));

    let none = face.write("POST /api/scale", &json!({"services": {"a": 5, "x": 1, "y": 1}})).await;
    assert_eq!((none.status.as_u16(), none.errors().len()), (404, 2));
    assert_eq!(face.get("/api/services/a").await.json()["spec"]["replicas"], 3);
    let both = face.write("POST /api/scale", &json!({"services": {"a": 5, "b": 0}})).await.json();
    assert_eq!(both["services"]["a"]["service"]["spec"]["replicas"], 5);
    assert_eq!(both["services"]["a"]["revision"], both["services"]["b"]["revision"]);
    let wrong = face.write("POST /api/scale", &json!({"services": {"A": 5, "b": "2", "a": -1}})).await;
    assert_eq!((wrong.status.as_u16(), wrong.errors().len()), (422, 3));
}

#[tokio::test]
async fn a_service_on_its_way_out_takes_no_wishes() {
    let face = Face::new().await;
    face.deploy("web").await;
    let removed = face.send("DELETE /api/services/web", &[], Body::empty()).await;
    assert_eq!((removed.status.as_u16(), &removed.json()["what"]), (202, &json!("changed")));
    assert_eq!(removed.json()["service"]["removed"], true);
    let again = face.send("DELETE /api/services/web", &[], Body::empty()).await;
    assert_eq!((again.status.as_u16(), &again.json()["what"]), (202, &json!("nothing")));
    assert_eq!(face.write("PUT /api/services/web", &web()).await.status, 409);
    let absent = ["if-none-match: *", JSON];
    assert_eq!(face.send("PUT /api/services/web", &absent, web().to_string()).await.status, 409);
    assert_eq!(face.write("PATCH /api/services/web", &json!({})).await.status, 409);
    assert_eq!(face.write("POST /api/services/web/scale", &json!({"replicas": 1})).await.status, 409);
}

async fn with_token(face: &Face, token: &str, line: &str, body: &serde_json::Value) -> Answer {
    face.send(line, &[JSON, &format!("idempotency-key: {token}")], body.to_string()).await
}

#[tokio::test]
async fn the_same_write_again_gets_the_same_answer_and_changes_nothing() {
    let face = Face::new().await;
    let first = with_token(&face, "t1", "PUT /api/services/web", &web()).await;
    assert_eq!((first.status.as_u16(), first.header("idempotent-replayed")), (201, None));
    face.write("POST /api/services/web/scale", &json!({"replicas": 4})).await;
    let revision = face.get("/api/status").await.json()["revision"].clone();
    let again = with_token(&face, "\"t1\"", "PUT /api/services/web", &web()).await;
    assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(again.body, first.body);
    assert_eq!(face.get("/api/status").await.json()["revision"], revision);
    assert_eq!(face.get("/api/services/web").await.json()["spec"]["replicas"], 4);
}

#[tokio::test]
async fn another_request_under_the_same_token_is_refused() {
    let face = Face::new().await;
    with_token(&face, "t1", "PUT /api/services/web", &web()).await;
    for (line, body) in [
        ("PUT /api/services/web", json!({"command": ["other"]})),
        ("PUT /api/services/other", web()),
        ("PATCH /api/services/web", web()),
        ("DELETE /api/services/web", web()),
    ] {
        let answer = with_token(&face, "t1", line, &body).await;
        assert_eq!(answer.status, 422, "{line}");
        assert!(answer.errors()[0].contains("'t1'"), "{}", answer.text());
    }
    assert_eq!(face.get("/api/services").await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_not_recorded() {
    let face = Face::new().await;
    let scale = json!({"replicas": 2});
    assert_eq!(with_token(&face, "t1", "POST /api/services/web/scale", &scale).await.status, 404);
    face.write("PUT /api/services/web", &web()).await;
    assert_eq!(with_token(&face, "t1", "POST /api/services/web/scale", &scale).await.status, 200);
    let odd = with_token(&face, "a b", "POST /api/services/web/scale", &scale).await;
    assert_eq!(odd.status, 400);
}

#[tokio::test]
async fn two_at_the_same_time_under_one_token_are_one() {
    let face = Face::new().await;
    let body = web();
    let put = || with_token(&face, "t1", "PUT /api/services/web", &body);
    let (one, other) = tokio::join!(put(), put());
    assert_eq!((one.status.as_u16(), other.status.as_u16()), (201, 201));
    assert_eq!(one.body, other.body);
    let replayed =
        [&one, &other].iter().filter(|answer| answer.header("idempotent-replayed").is_some()).count();
    assert_eq!(replayed, 1);
}

#[tokio::test]
async fn what_the_driver_cannot_give_is_refused_but_nothing_that_was_wished_for_before() {
    let face = Face::new().await;
    let limited =
        json!({"command": ["serve"], "limits": {"memory": "256m", "cpu": 0.5, "pids": 9}, "user": "nobody"});
    let answer = face.write("PUT /api/services/web", &limited).await;
    assert_eq!(answer.status, 422, "{}", answer.text());
    let fields: Vec<String> =
        answer.errors().iter().map(|error| error.split(':').next().unwrap().into()).collect();
    assert_eq!(fields, ["limits.memory", "limits.cpu", "user"]);
    assert!(answer.errors()[0].contains("no control group with the memory controller"), "{}", answer.text());
    assert_eq!(face.get("/api/services/web").await.status, 404);

    let kept = json!({"command": ["serve"], "limits": {"pids": 9}});
    assert_eq!(face.write("PUT /api/services/web", &kept).await.status, 201);
    let more = face.write("PATCH /api/services/web", &json!({"limits": {"cpu": "2"}})).await;
    assert_eq!(more.status, 422, "{}", more.text());
    let scaled = face.write("PATCH /api/services/web", &json!({"replicas": 2})).await;
    assert_eq!((scaled.status.as_u16(), scaled.json()["what"].clone()), (200, json!("changed")));
    let fewer = face.write("PATCH /api/services/web", &json!({"limits": {"pids": 0}})).await;
    assert_eq!(
        (fewer.status.as_u16(), fewer.json()["what"].clone()),
        (200, json!("new-version")),
        "{}",
        fewer.text()
    );
    assert_eq!(face.get("/api/services/web").await.json()["spec"]["limits"], json!({}), "no limit is left");
}
