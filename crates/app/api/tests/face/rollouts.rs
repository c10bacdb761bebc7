//! Rollouts over HTTP: their history, and the verbs that hold them and take them back.

use adsum_catalog::records;
use adsum_model::rollout::{Failure, Quantiles, Receipt, Rollout, Stage};
use adsum_model::{InstanceId, Name};
use serde_json::{Value, json};

use crate::face::Face;

fn web() -> Name {
    "web".parse().unwrap()
}

/// Ends the last rollout of `web` as a controller would, with what it has found.
async fn end(face: &Face, stage: Stage, change: impl FnOnce(&mut Rollout)) {
    let end = |tx: &mut adsum_keyspace::Transaction<'_>| {
        let number = records::service(tx, &web()).unwrap().rollout;
        let mut rollout = records::rollout(tx, &web(), number).unwrap();
        (rollout.stage, rollout.ended) = (stage, stage.is_final().then_some(tx.now().wall));
        change(&mut rollout);
        records::put_rollout(tx, &rollout);
    };
    face.store.commit(end).await.unwrap();
}

async fn update(face: &Face, value: &str) -> Value {
    let patch = json!({"env": {"A": value}});
    let answer = face.write("PATCH /api/services/web", &patch).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Created, and updated once; the first rollout is complete and the second under way.
async fn updated() -> Face {
    let face = Face::new().await;
    face.deploy("web").await;
    end(&face, Stage::Complete, |_| {}).await;
    let written = update(&face, "1").await;
    assert_eq!((&written["service"]["version"], &written["service"]["rollout"]), (&json!(2), &json!(2)));
    face
}

#[tokio::test]
async fn the_history_of_a_service_is_told_in_brief_and_each_rollout_as_a_whole() {
    let face = updated().await;
    let receipt = Receipt {
        requests: 41_233,
        retried: 2,
        during: Quantiles { p50: 900, p99: 3_400 },
        ..Receipt::default()
    };
    let failure = Failure {
        instance: InstanceId::from_seed(1),
        slot: 2,
        reason: "exited with status 1".into(),
        time: 7,
    };
    end(&face, Stage::Complete, |rollout| {
        rollout.receipt = Some(receipt);
        rollout.failures.push(failure);
    })
    .await;

    let list = face.get("/api/services/web/rollouts").await.json();
    let told: Vec<_> =
        list.as_array().unwrap().iter().map(|it| (it["number"].clone(), it["cause"].clone())).collect();
    assert_eq!(told, [(json!(1), json!("created")), (json!(2), json!("updated"))]);
    assert_eq!((&list[1]["from"], &list[1]["to"], &list[1]["failures"]), (&json!(1), &json!(2), &json!(1)));

    for number in ["2", "latest"] {
        let whole = face.get(&format!("/api/services/web/rollouts/{number}")).await.json();
        assert_eq!((&whole["stage"], &whole["ended"]), (&json!("complete"), &json!(true)));
        let receipt = &whole["receipt"];
        assert_eq!((&receipt["requests"], &receipt["during"]["p99"]), (&json!(41_233), &json!(3_400)));
        assert_eq!(whole["failed_instances"][0]["name"], "web.2");
        assert!(whole["spent"]["whole"].is_u64() && whole["log"] == json!([]));
    }
    let unknown = face.get("/api/services/web/rollouts/7").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.errors(), ["service 'web' has no rollout '7': kept are 1, 2, or ask for latest"]);
    assert_eq!(face.get("/api/services/other/rollouts").await.status, 404);
}

#[tokio::test]
async fn a_service_shows_its_rollout_and_a_question_about_it_blocks_until_that_changes() {
    let face = updated().await;
    let service = face.get("/api/services/web").await;
    let rollout = &service.json()["rollout"];
    assert_eq!((&rollout["number"], &rollout["stage"]), (&json!(2), &json!("rolling")));
    let path = format!("/api/services/web/rollouts/2?index={}&wait=60s", service.index());
    let mut waiting = Box::pin(face.get(&path));
    assert!(crate::face::still_waits(&mut waiting).await);
    face.write("POST /api/services/web/pause", &json!({})).await;
    assert_eq!(crate::face::soon(waiting).await.json()["stage"], "paused");
}

#[tokio::test]
async fn a_rollout_is_paused_resumed_and_aborted() {
    let face = updated().await;
    let stage = async || face.get("/api/services/web/rollouts/latest").await.json()["stage"].clone();
    let paused = face.write("POST /api/services/web/pause", &json!({})).await;
    assert_eq!((&paused.json()["what"], stage().await), (&json!("changed"), json!("paused")));
    let again = face.write("POST /api/services/web/pause", &json!({})).await;
    assert_eq!(again.json()["what"], "nothing");
    face.write("POST /api/services/web/resume", &json!({})).await;
    assert_eq!(stage().await, "rolling");

    let aborted = face.write("POST /api/services/web/abort", &json!({})).await.json();
    assert_eq!((&aborted["what"], &aborted["service"]["version"]), (&json!("rolled-back"), &json!(1)));
    assert_eq!(aborted["service"]["spec"]["env"], json!({}));
    let back = face.get("/api/services/web/rollouts/latest").await.json();
    assert_eq!(
        (&back["cause"], &back["of"], &back["automatic"]),
        (&json!("rolled-back"), &json!(2), &json!(false))
    );
    assert_eq!(face.get("/api/services/web/rollouts/2").await.json()["stage"], "rolled-back");
}

#[tokio::test]
async fn what_cannot_be_taken_back_or_held_is_refused_with_the_reason() {
    let face = Face::new().await;
    face.deploy("web").await;
    end(&face, Stage::Complete, |_| {}).await;
    for verb in ["pause", "resume", "abort"] {
        let answer = face.write(&format!("POST /api/services/web/{verb}"), &json!({})).await;
        assert_eq!(answer.status, 409);
        let text = answer.errors().remove(0);
        assert!(text.contains(&format!("no rollout to {verb}: its last one, 1, is complete")), "{text}");
    }
    let answer = face.write("POST /api/services/web/rollback", &json!({})).await;
    assert_eq!(answer.status, 409);
    assert!(answer.errors()[0].contains("no version to go back to"), "{}", answer.text());
    assert_eq!(face.write("POST /api/services/other/rollback", &json!({})).await.status, 404);
}

#[tokio::test]
async fn the_verbs_are_done_once_for_a_token_and_not_for_pages_of_other_sites() {
    let face = updated().await;
    let headers = ["content-type: application/json", "idempotency-key: t1"];
    let first = face.send("POST /api/services/web/rollback", &headers, "{}").await;
    let again = face.send("POST /api/services/web/rollback", &headers, "{}").await;
    assert_eq!((again.header("idempotent-replayed"), again.text()), (Some("true"), first.text()));
    assert_eq!(face.get("/api/services/web").await.json()["rollout"]["number"], 3);
    let foreign = ["content-type: application/json", "origin: http://evil.example"];
    for path in ["services/web/rollback", "services/web/pause", "nodes/one/drain", "nodes/one/activate"] {
        assert_eq!(face.send(&format!("POST /api/{path}"), &foreign, "{}").await.status, 403, "{path}");
    }
    let put = face.send("PUT /api/services/web/maintenance", &foreign, "{}").await;
    assert_eq!(put.status, 403);
}

#[tokio::test]
async fn a_forced_patch_replaces_what_it_does_not_change() {
    let face = updated().await;
    end(&face, Stage::Complete, |_| {}).await;
    let plain = face.write("PATCH /api/services/web", &json!({})).await.json();
    assert_eq!(plain["what"], "nothing");
    let forced = face.write("PATCH /api/services/web?force", &json!({"replicas": 2})).await.json();
    assert_eq!((&forced["what"], &forced["service"]["version"]), (&json!("new-version"), &json!(3)));
    assert_eq!(forced["service"]["spec"]["replicas"], 2);
    let cause = face.get("/api/services/web/rollouts/latest").await.json()["cause"].clone();
    assert_eq!(cause, "restarted");
    let changed = face.write("PATCH /api/services/web?force", &json!({"env": {"A": "2"}})).await.json();
    assert_eq!(changed["service"]["version"], 4);
}
