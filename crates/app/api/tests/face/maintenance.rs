//! Maintenance and nodes over HTTP, and whether a service is usable.

use adsum_model::{Health, Phase};
use serde_json::json;

use crate::face::{Face, instance};

#[tokio::test]
async fn a_service_is_taken_out_of_routing_and_put_back() {
    let face = Face::new().await;
    face.deploy("web").await;
    let on = face.write("PUT /api/services/web/maintenance", &json!({"reason": "new disk"})).await;
    assert_eq!((on.status.as_u16(), &on.json()["what"]), (200, &json!("changed")));
    face.route().await;
    let web = face.get("/api/services/web").await.json();
    assert_eq!(web["maintenance"], "new disk");
    let instance = &web["instances"][0];
    assert_eq!((&instance["health"], &instance["maintenance"]), (&json!("maintenance"), &json!("new disk")));
    assert_eq!(instance["held_by"], json!([]));
    let usable = face.get("/api/services/web/usable").await;
    assert_eq!(usable.status, 503);
    assert_eq!(usable.json()["reasons"][0], "it is in maintenance: new disk");
    assert_eq!(usable.json()["instances"]["maintenance"], 1);

    let off = face.send("DELETE /api/services/web/maintenance", &[], "").await;
    assert_eq!(off.json()["what"], "changed");
    let web = face.get("/api/services/web").await.json();
    assert_eq!((&web["maintenance"], &web["instances"][0]["held_by"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn an_instance_is_taken_out_of_routing_alone() {
    let face = Face::new().await;
    face.deploy("web").await;
    let two = face.put(instance(2, "web", 2)).await;
    let path = format!("/api/instances/{}/maintenance", two.id);
    let on = face.write(&format!("PUT {path}"), &json!({})).await;
    assert_eq!((on.status.as_u16(), &on.json()["instance"]["maintenance"]), (200, &json!("")));
    let usable = face.get("/api/services/web/usable").await;
    assert_eq!(usable.status, 200);
    let off = face.send(&format!("DELETE {path}"), &[], "").await;
    assert_eq!(off.json()["instance"]["maintenance"], json!(null));

    let leaving = adsum_model::Instance { phase: Phase::Stopping, ..two };
    face.put(leaving).await;
    assert_eq!(face.write(&format!("PUT {path}"), &json!({})).await.status, 409);
    for unknown in ["aaaaaaaaaaaa", "web.2"] {
        let answer = face.write(&format!("PUT /api/instances/{unknown}/maintenance"), &json!({})).await;
        assert_eq!(answer.status, 404, "{}", answer.text());
        assert!(answer.errors()[0].contains(unknown));
    }
}

#[tokio::test]
async fn a_reason_is_a_line_of_text() {
    let face = Face::new().await;
    face.deploy("web").await;
    for bad in [json!({"reason": 7}), json!({"reason": "a\nb"}), json!({"reason": "x".repeat(2000)})] {
        let answer = face.write("PUT /api/services/web/maintenance", &bad).await;
        assert_eq!(answer.status, 422, "{bad}");
        assert!(answer.errors()[0].starts_with("reason: "), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_body_that_says_something_else_changes_nothing() {
    let face = Face::new().await;
    let one = face.deploy("web").await;
    let of_instance = format!("/api/instances/{}/maintenance", one.id);
    let verbs = ["rollback", "abort", "pause", "resume"].map(|verb| format!("POST /api/services/web/{verb}"));
    let nodes = ["drain", "activate"].map(|verb| format!("POST /api/nodes/node1/{verb}"));
    let maintenance = ["PUT", "DELETE"].map(|method| format!("{method} /api/services/web/maintenance"));
    let instance = ["PUT", "DELETE"].map(|method| format!("{method} {of_instance}"));
    for line in [&verbs[..], &nodes, &maintenance, &instance].concat() {
        for (body, status, begin) in
            [("{", 400, "the body is no JSON"), ("[]", 422, "body: "), (r#"{"on": false}"#, 422, "on: ")]
        {
            let answer = face.send(&line, &["Content-Type: application/json"], body).await;
            assert_eq!(answer.status, status, "{line} {body}: {}", answer.text());
            assert!(answer.errors()[0].starts_with(begin), "{line}: {}", answer.text());
        }
    }
    let service = face.get("/api/services/web").await.json();
    assert_eq!(
        (&service["maintenance"], &service["instances"][0]["maintenance"]),
        (&json!(null), &json!(null))
    );
}

#[tokio::test]
async fn the_only_node_is_drained_by_force_alone() {
    let face = Face::new().await;
    face.deploy("web").await;
    let refused = face.write("POST /api/nodes/node1/drain", &json!({})).await;
    assert_eq!(refused.status, 409);
    assert!(refused.errors()[0].contains("1 service would have no instance"), "{}", refused.text());
    let drained = face.write("POST /api/nodes/node1/drain", &json!({"force": true})).await.json();
    assert_eq!(drained["availability"], "drain");
    assert_eq!(face.get("/api/nodes").await.json()[0]["availability"], "drain");
    let active = face.write("POST /api/nodes/node1/activate", &json!({})).await.json();
    assert_eq!(active["availability"], "active");
    assert_eq!(face.write("POST /api/nodes/two/drain", &json!({})).await.status, 404);
    assert_eq!(face.write("POST /api/nodes/node1/drain", &json!({"force": "yes"})).await.status, 422);
}

#[tokio::test]
async fn a_service_is_usable_while_one_of_its_instances_passes() {
    let face = Face::new().await;
    assert_eq!(face.get("/api/services/web/usable").await.status, 404);
    let mut web = face.deploy("web").await;
    let usable = face.get("/api/services/web/usable").await;
    assert_eq!((usable.status.as_u16(), &usable.json()["usable"]), (200, &json!(true)));
    assert_eq!(usable.json()["reasons"], json!([]));
    (web.health, web.reason) = (Health::Critical, Some("status 500".into()));
    face.put(web).await;
    let usable = face.get("/api/services/web/usable").await;
    assert_eq!((usable.status.as_u16(), &usable.json()["usable"]), (503, &json!(false)));
    let expect = json!(["none of the 1 instances that are wanted passes", "web.1: status 500"]);
    assert_eq!(usable.json()["reasons"], expect);
}
