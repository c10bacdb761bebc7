//! The chain of facts.

use adsum_model::{Health, Phase};
use serde_json::Value;

use crate::face::Face;

/// The first fact of the first instance that does not hold, with its detail.
async fn reason(face: &Face) -> Option<(String, String)> {
    face.route().await;
    let why = face.get("/api/services/web/why").await.json();
    let facts = why["instances"][0]["facts"].as_array().unwrap().clone();
    assert!(facts.iter().all(|fact| fact["revision"].as_u64().unwrap() > 0));
    let text = |fact: &Value, name: &str| fact[name].as_str().unwrap().to_string();
    let first = facts.iter().find(|fact| fact["holds"] == false)?;
    Some((text(first, "fact"), text(first, "detail")))
}

#[tokio::test]
async fn the_first_fact_that_does_not_hold_is_the_reason() {
    let face = Face::new().await;
    let mut web = face.deploy("web").await;
    assert_eq!(reason(&face).await, None);

    (web.health, web.reason) = (Health::Critical, Some("connection refused".into()));
    web = face.put(web).await;
    let (fact, detail) = reason(&face).await.unwrap();
    assert_eq!((fact.as_str(), detail.as_str()), ("its check passes", "tcp: critical (connection refused)"));

    (web.phase, web.reason) = (Phase::Backoff, Some("exited with code 1".into()));
    web = face.put(web).await;
    let (fact, detail) = reason(&face).await.unwrap();
    assert_eq!(fact, "its process runs");
    assert!(detail.contains("exited with code 1"), "{detail}");

    (web.phase, web.health) = (Phase::Running, Health::Draining);
    face.put(web).await;
    assert_eq!(reason(&face).await.unwrap().0, "is in service");

    face.write("POST /api/services/web/scale", &serde_json::json!({"replicas": 0})).await;
    assert_eq!(reason(&face).await.unwrap().0, "its slot is wanted");
}

#[tokio::test]
async fn a_service_without_instances_says_what_it_lacks() {
    let face = Face::new().await;
    face.write("PUT /api/services/web", &serde_json::json!({"command": ["serve"], "replicas": 0})).await;
    let why = face.get("/api/services/web/why").await.json();
    let facts = why["facts"].as_array().unwrap();
    let lacking: Vec<&str> = facts
        .iter()
        .filter(|fact| fact["holds"] == false)
        .map(|fact| fact["fact"].as_str().unwrap())
        .collect();
    assert_eq!(lacking, ["wants instances", "has instances", "is found by name"]);
}
