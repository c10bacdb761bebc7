//! Blocking queries wake on their own change, and only then.

use adsum_catalog::records;
use adsum_keyspace::{Database, Deadline, Notice};
use adsum_model::Health;
use axum::body::Body;

use crate::face::{Face, instance, soon, still_waits};

/// The view has taken in all that was committed.
async fn settle(face: &Face) {
    face.store.catalog().await.unwrap();
}

#[tokio::test]
async fn a_question_wakes_on_a_change_of_its_service_and_of_no_other() {
    let face = Face::new().await;
    let mut web = face.deploy("web").await;
    for path in ["/v1/health/service/web", "/api/services/web", "/api/instances?service=web"] {
        let index = face.get(path).await.index();
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{joint}index={index}&wait=10m");
        let mut question = Box::pin(face.get(&path));
        assert!(still_waits(&mut question).await, "{path}");
        face.put(instance(99, "other", 1)).await;
        face.send("PUT /v1/kv/a", &[], "x").await;
        settle(&face).await;
        assert!(still_waits(&mut question).await, "{path}");
        web.health = if web.health == Health::Passing { Health::Critical } else { Health::Passing };
        web = face.put(web).await;
        let answer = soon(question).await;
        assert!(answer.index() > index, "{path}");
        assert!(answer.text().contains(web.id.as_str()), "{path}");
    }
}

#[tokio::test]
async fn a_question_wakes_only_when_its_answer_is_another() {
    let face = Face::new().await;
    face.deploy("web").await;
    let mut sick = instance(98, "web", 2);
    sick.health = Health::Critical;
    let mut sick = face.put(sick).await;
    for path in ["/v1/health/service/web?passing", "/v1/catalog/service/web?pretty"] {
        let before = face.get(path).await;
        let asked = format!("{path}&index={}&wait=10m", before.index());
        let mut question = Box::pin(face.get(&asked));
        assert!(still_waits(&mut question).await, "{path}");
        // The service has changed, and nothing that is told here.
        sick.restarts += 1;
        sick.reason = Some("it has ended".to_string());
        sick = face.put(sick).await;
        settle(&face).await;
        let now = face.get(path).await;
        assert!(now.index() > before.index(), "the control: {path}");
        assert!(still_waits(&mut question).await, "{path}");
        let other = face.put(instance(sick.restarts.into(), "web", 3 + sick.restarts)).await;
        let answer = soon(question).await;
        assert!(answer.index() > now.index() && answer.text().contains(other.id.as_str()), "{path}");
    }
    // Who missed something is not kept waiting for more.
    let past = face.get("/v1/health/service/web?passing").await.index() - 1;
    soon(face.get(&format!("/v1/health/service/web?passing&index={past}&wait=10m"))).await;
}

#[tokio::test]
async fn a_question_about_the_past_is_answered_at_once() {
    let face = Face::new().await;
    face.deploy("web").await;
    let index = face.get("/v1/health/service/web").await.index();
    for path in ["?index=0&wait=10m", "?wait=10m", &format!("?index={}&wait=10m", index - 1)] {
        assert_eq!(soon(face.get(&format!("/v1/health/service/web{path}"))).await.index(), index);
    }
}

#[tokio::test]
async fn a_question_that_nothing_answers_comes_back_with_the_same_index() {
    let face = Face::new().await;
    face.deploy("web").await;
    face.send("PUT /v1/kv/k", &[], "v").await;
    for path in [
        "/v1/health/service/web?",
        "/v1/catalog/services?",
        "/v1/catalog/nodes?",
        "/v1/kv/k?",
        "/v1/kv/none?",
        "/v1/kv/k?recurse&",
    ] {
        let index = face.get(path).await.index();
        let begun = std::time::Instant::now();
        let answer = face.get(&format!("{path}index={index}&wait=20ms")).await;
        assert_eq!(answer.index(), index, "{path}");
        assert!(begun.elapsed().as_millis() >= 20, "{path}");
    }
    assert!(face.get("/v1/health/service/web?index=99999999&wait=1ms").await.index() < 99999999);
}

#[tokio::test]
async fn the_set_of_services_wakes_on_a_service_and_not_on_an_instance() {
    let face = Face::new().await;
    face.deploy("web").await;
    let index = face.get("/v1/catalog/services").await.index();
    let path = format!("/v1/catalog/services?index={index}");
    let mut question = Box::pin(face.get(&path));
    face.put(instance(5, "web", 2)).await;
    settle(&face).await;
    assert!(still_waits(&mut question).await);
    face.deploy("api").await;
    assert!(soon(question).await.text().contains("api"));
}

#[tokio::test]
async fn the_nodes_wake_on_a_node_and_not_on_an_instance() {
    let face = Face::new().await;
    let index = face.get("/v1/catalog/nodes").await.index();
    let path = format!("/v1/catalog/nodes?index={index}");
    let mut question = Box::pin(face.get(&path));
    face.deploy("web").await;
    assert!(still_waits(&mut question).await);
    let node = adsum_model::Node::new("node2".parse().unwrap(), "10.0.0.2".parse().unwrap());
    face.store.commit(|tx| records::put_node(tx, &node)).await.unwrap();
    assert_eq!(soon(question).await.json().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn instances_under_a_prefix_wake_on_theirs() {
    let face = Face::new().await;
    face.deploy("chirp-user-a").await;
    let index = face.get("/api/instances?passing&prefix=chirp-user-").await.index();
    let path = format!("/api/instances?passing&prefix=chirp-user-&index={index}&wait=30s");
    let mut question = Box::pin(face.get(&path));
    face.deploy("chirp-worker").await;
    settle(&face).await;
    assert!(still_waits(&mut question).await);
    face.put(instance(6, "chirp-user-b", 1)).await;
    assert!(soon(question).await.text().contains("chirp-user-b"));
}

#[tokio::test]
async fn a_key_wakes_on_its_own_value_alone() {
    let face = Face::new().await;
    face.send("PUT /v1/kv/k", &[], "v").await;
    let index = face.get("/v1/kv/k").await.index();
    let path = format!("/v1/kv/k?index={index}&wait=10m");
    let mut question = Box::pin(face.get(&path));
    assert!(still_waits(&mut question).await);
    face.send("PUT /v1/kv/k2", &[], "v").await;
    face.deploy("web").await;
    let deadline = Deadline::after(3_600_000, face.store.now());
    face.store
        .commit(|tx| tx.set_deadline(Database::User(0), b"k", Some(deadline), Notice::Expire))
        .await
        .unwrap();
    assert!(still_waits(&mut question).await);
    face.send("PUT /v1/kv/k", &[], "w").await;
    let answer = soon(question).await;
    assert_eq!(answer.json()[0]["Value"], "dw==");
    assert!(answer.index() > index);
}

#[tokio::test]
async fn a_key_that_comes_or_goes_wakes() {
    let face = Face::new().await;
    let index = face.get("/v1/kv/k").await.index();
    let path = format!("/v1/kv/k?index={index}");
    let mut question = Box::pin(face.get(&path));
    assert!(still_waits(&mut question).await);
    face.send("PUT /v1/kv/k", &[], "v").await;
    let index = soon(question).await.index();
    let path = format!("/v1/kv/k?index={index}");
    let mut question = Box::pin(face.get(&path));
    assert!(still_waits(&mut question).await);
    face.send("DELETE /v1/kv/k", &[], Body::empty()).await;
    let answer = soon(question).await;
    assert_eq!(answer.status, 404);
    // A client that goes on from here waits for the next change, and does not spin on the last.
    let path = format!("/v1/kv/k?index={}", answer.index());
    assert!(still_waits(&mut Box::pin(face.get(&path))).await);
}

#[tokio::test]
async fn a_prefix_wakes_on_a_deletion_once() {
    let face = Face::new().await;
    face.send("PUT /v1/kv/p/a", &[], "v").await;
    face.send("PUT /v1/kv/p/b", &[], "v").await;
    let index = face.get("/v1/kv/p/?keys").await.index();
    let path = format!("/v1/kv/p/?keys&index={index}");
    let mut question = Box::pin(face.get(&path));
    face.send("PUT /v1/kv/q", &[], "v").await;
    assert!(still_waits(&mut question).await);
    face.send("DELETE /v1/kv/p/b", &[], Body::empty()).await;
    let answer = soon(question).await;
    assert_eq!(answer.text(), "[\"p/a\"]");
    assert!(answer.index() > index);
    let path = format!("/v1/kv/p/?keys&index={}", answer.index());
    assert!(still_waits(&mut Box::pin(face.get(&path))).await);
}
