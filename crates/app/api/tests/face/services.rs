//! The own API's reads, and wishes as they come out of them.

use adsum_model::{Health, Phase};
use serde_json::{Value, json};

use crate::face::{Face, instance};

#[tokio::test]
async fn the_status_counts_what_there_is() {
    let face = Face::new().await;
    face.deploy("web").await;
    let status = face.get("/api/status").await.json();
    assert_eq!(
        (&status["services"], &status["instances"], &status["routable"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(
        status["keeper"],
        json!({"pid": 7, "tree": "cgroup2", "controllers": ["pids"], "any_user": false})
    );
    assert_eq!(status["faces"]["http"], "127.0.0.1:8500");
    assert_eq!(status["durability"], "always");
    assert_eq!(status["cluster"].as_str().unwrap().len(), 32);
    assert!(status["revision"].as_u64() >= status["durable_revision"].as_u64());
}

#[tokio::test]
async fn a_service_is_listed_with_what_is_wanted_and_what_there_is() {
    let face = Face::new().await;
    face.deploy("web").await;
    let mut failed = instance(9, "web", 1);
    (failed.phase, failed.version) = (Phase::Stopped, 0);
    face.put(failed).await;
    let list = face.get("/api/services?prefix=we").await;
    assert_eq!(
        list.json(),
        json!([{"name": "web", "version": 1, "replicas": 1, "passing": 1, "instances": 1, "exclusive": false,
            "command": ["serve"], "check": "tcp", "tags": ["v1", "primary"], "routes": [], "ports": [], "removed": false,
            "maintenance": false, "stage": "rolling", "converged": false}])
    );
    assert_eq!(face.get("/api/services?prefix=x").await.json(), json!([]));
}

#[tokio::test]
async fn a_service_shows_its_spec_its_instances_and_what_it_waits_for() {
    let face = Face::new().await;
    let mut web = face.deploy("web").await;
    (web.health, web.reason) = (Health::Starting, Some("connection refused".into()));
    let web = face.put(web).await;
    let answer = face.get("/api/services/web").await;
    let service = answer.json();
    assert_eq!(service["converged"], false);
    let expect = format!("slot 1 ({}): its tcp check to pass: connection refused", web.id);
    assert_eq!(service["waiting_on"], json!([expect]));
    assert_eq!(service["index"].as_u64(), Some(answer.index()));
    let shown = &service["instances"][0];
    assert_eq!(
        (&shown["name"], &shown["health"], &shown["pid"]),
        (&json!("web.1"), &json!("starting"), &json!(4711))
    );
    assert_eq!(service["spec"]["check"]["interval"], "10s");
    assert_eq!(service["spec"].get("workdir"), None);
    let again = face.write("PUT /api/services/web", &service["spec"]).await;
    assert_eq!(again.json()["what"], "nothing", "a spec that was read can be put");
}

#[tokio::test]
async fn a_new_service_says_what_is_about_to_be_done() {
    let face = Face::new().await;
    face.write("PUT /api/services/web", &json!({"command": ["serve"]})).await;
    let service = face.get("/api/services/web").await.json();
    assert_eq!(service["converged"], false);
    assert_eq!(service["steps"], json!(["slot 1: create an instance of version 1"]));
}

#[tokio::test]
async fn instances_are_listed_for_whoever_wants_to_reach_them() {
    let face = Face::new().await;
    let web = face.deploy("web").await;
    let mut over = instance(2, "web", 2);
    over.phase = Phase::Failed;
    face.put(over).await;
    let list = face.get("/api/instances").await;
    assert_eq!(
        list.json(),
        json!([{"id": web.id.as_str(), "service": "web", "slot": 1, "version": 1, "node": "node1",
            "address": "127.0.0.1", "port": 20001, "health": "passing", "phase": "running"}])
    );
    assert!(list.index() > 0);
    assert_eq!(face.get("/api/instances?service=None").await.status, 400);
    assert_eq!(face.get("/api/instances?service=none").await.json(), json!([]));
}

#[tokio::test]
async fn nodes_are_listed_with_what_they_run() {
    let face = Face::new().await;
    face.deploy("web").await;
    let expect = json!([{"name": "node1", "address": "127.0.0.1", "availability": "active", "instances": 1, "routable": 1,
        "driver": {"kind": "process", "tree": "cgroup2", "controllers": ["pids"], "any_user": false}}]);
    assert_eq!(face.get("/api/nodes").await.json(), expect);
}

#[tokio::test]
async fn what_is_unknown_is_named() {
    let face = Face::new().await;
    let lines = [
        "GET /api/services/none",
        "GET /api/services/No_Name",
        "GET /api/services/none/why",
        "GET /api/services/none/logs",
        "DELETE /api/services/none",
        "PATCH /api/services/none",
        "POST /api/services/none/scale",
    ];
    for line in lines {
        let answer = face.write(line, &json!({"replicas": 1})).await;
        assert_eq!(answer.status, 404, "{line}");
        let name = if line.contains("No_Name") { "'No_Name'" } else { "'none'" };
        assert!(answer.errors()[0].contains(name), "{line}: {}", answer.text());
    }
    assert_eq!(
        face.get("/api/services?index=x").await.errors(),
        ["index 'x' is no number: give that of an earlier answer"]
    );
}

#[tokio::test]
async fn the_documentation_can_be_fetched() {
    let face = Face::new().await;
    let document: Value = face.get("/api/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
}
