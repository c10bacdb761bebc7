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
    assert_eq!(lacking, ["wants instances", "has instances", "its rollout is through", "is found by name"]);
    let expect = "web gets no requests: no instance of it is wanted ('adsum service scale web=1')";
    assert_eq!(why["conclusion"], expect);
}

/// What is said of `web`, and of its first instance.
async fn conclusions(face: &Face) -> (String, String) {
    face.route().await;
    let why = face.get("/api/services/web/why").await.json();
    let text = |value: &Value| value.as_str().unwrap().to_string();
    (text(&why["conclusion"]), text(&why["instances"][0]["conclusion"]))
}

#[tokio::test]
async fn the_answer_begins_with_a_sentence() {
    let face = Face::new().await;
    let mut web = face.deploy("web").await;
    let (of_service, of_instance) = conclusions(&face).await;
    assert_eq!(of_instance, "gets requests");
    assert!(of_service.starts_with("web gets requests: 1 of 1 wanted pass"), "{of_service}");
    assert!(of_service.contains("no route and no port leads to it"), "{of_service}");

    (web.health, web.reason) = (Health::Starting, Some("connection refused".into()));
    web = face.put(web).await;
    let (of_service, of_instance) = conclusions(&face).await;
    assert_eq!(of_instance, "is starting: its check (tcp) has yet to pass (connection refused)");
    assert!(of_service.starts_with("web gets no requests: web.1 is starting"), "{of_service}");

    (web.health, web.proven) = (Health::Critical, false);
    web = face.put(web).await;
    assert_eq!(conclusions(&face).await.1, "gets no requests: its check (tcp) fails (connection refused)");

    (web.phase, web.reason, web.restarts, web.streak) =
        (Phase::Backoff, Some("exited with code 3".into()), 4, 4);
    web.since = face.store.now().tick;
    web = face.put(web).await;
    let of_instance = conclusions(&face).await.1;
    assert!(of_instance.starts_with("ended and is started again in "), "{of_instance}");
    assert!(of_instance.ends_with(" s, restarted 4 times (exited with code 3)"), "{of_instance}");
    let listed = face.get("/api/services/web").await.json();
    let rest = listed["instances"][0]["restart_in"].as_u64().unwrap();
    assert!(rest <= 1_600, "{rest}");

    (web.phase, web.health, web.reason) = (Phase::Running, Health::Draining, None);
    face.put(web).await;
    assert_eq!(conclusions(&face).await.1, "is leaving and gets nothing new: nothing is in flight on it");
}

#[tokio::test]
async fn maintenance_and_a_paused_rollout_are_said_first() {
    let face = Face::new().await;
    face.deploy("web").await;
    face.write("PATCH /api/services/web", &serde_json::json!({"env": {"A": "1"}, "routes": ["Host(a)"]}))
        .await;
    face.write("POST /api/services/web/pause", &serde_json::json!({})).await;
    let (of_service, _) = conclusions(&face).await;
    let expect = "rollout 2 to version 2 is paused (paused by hand) ('adsum service resume web' goes on, \
                  'adsum service abort web' goes back)";
    assert!(of_service.ends_with(expect), "{of_service}");
    let reason = serde_json::json!({"reason": "new disk"});
    face.write("PUT /api/services/web/maintenance", &reason).await;
    let (of_service, of_instance) = conclusions(&face).await;
    assert_eq!(of_service, "web is in maintenance and gets no requests (new disk)");
    assert_eq!(of_instance, "is in maintenance and gets nothing new (new disk): nothing is in flight on it");
}
