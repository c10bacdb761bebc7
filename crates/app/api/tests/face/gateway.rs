//! Where requests go.

use adsum_model::Health;
use serde_json::json;

use crate::face::Face;

async fn routed() -> Face {
    let face = Face::new().await;
    let spec = json!({
        "command": ["serve"], "publish": ["0"],
        "routes": ["Host(a); priority=2", "PathPrefix(/u/); redirect-to-instance=user-{1}"],
        "labels": {"adsum.route.api.rule": "Host(a)", "adsum.route.api.strip-prefix": "/api"},
    });
    let refused = face.write("PUT /api/services/web", &spec).await;
    assert_eq!(refused.status, 422);
    let mut spec = spec;
    spec["publish"] = json!([]);
    assert_eq!(face.write("PUT /api/services/web", &spec).await.status, 201);
    face.put(crate::face::instance(1, "web", 1)).await;
    face.route().await;
    face
}

#[tokio::test]
async fn routes_are_listed_with_who_answers_and_what_is_wrong() {
    let face = routed().await;
    let routes = face.get("/api/gateway/routes").await.json();
    let of = |label: &str| {
        routes.as_array().unwrap().iter().find(|route| route["route"] == label).cloned().unwrap_or_default()
    };
    let first = of("web/1");
    assert_eq!(
        (&first["rule"], &first["priority"], &first["routable"]),
        (&json!("Host(a)"), &json!(2), &json!(1))
    );
    assert_eq!(of("web/2")["redirect"], "user-{1}");
    let shadowed = of("web/api");
    assert_eq!(shadowed["rewrite"], "strip /api");
    assert!(shadowed["problems"][0].as_str().unwrap().contains("never gets a request"), "{routes}");
}

#[tokio::test]
async fn the_gateway_tells_its_table_its_workers_and_who_has_applied_it() {
    let face = routed().await;
    let gateway = face.get("/api/gateway").await.json();
    assert_eq!(gateway["table"]["revision"], gateway["table"]["wanted"]);
    assert_eq!(gateway["table"]["fresh"], true);
    let members: Vec<_> =
        gateway["members"].as_array().unwrap().iter().map(|member| member["face"].clone()).collect();
    assert_eq!(members, ["gateway", "dns", "http"]);
    assert_eq!(gateway["workers"].as_array().unwrap().len(), 1);
    let pool = json!({"service": "web", "routable": 1, "draining": 0, "panic": false, "replacing": false});
    assert_eq!(gateway["pools"], json!([pool]));
    let metrics = face.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.text().contains("adsum_gateway_table_revision"), "{}", metrics.text());
}

#[tokio::test]
async fn an_explanation_tells_of_routes_and_of_what_the_gateway_has_of_an_instance() {
    let face = routed().await;
    let why = async || face.get("/api/services/web/why").await.json();
    let fact = |facts: &serde_json::Value, name: &str| {
        let facts = facts.as_array().unwrap().iter();
        let found = facts.clone().find(|fact| fact["fact"] == name);
        found.unwrap_or_else(|| panic!("{name}: {facts:?}")).clone()
    };
    let explained = why().await;
    assert!(
        fact(&explained["facts"], "has routes")["detail"].as_str().unwrap().contains("web/api for Host(a)")
    );
    assert_eq!(fact(&explained["facts"], "its routes and ports are its own")["holds"], false);
    assert_eq!(fact(&explained["instances"][0]["facts"], "is routed by the gateway")["holds"], true);

    let mut draining = crate::face::instance(1, "web", 1);
    draining.health = Health::Draining;
    face.put(draining).await;
    face.route().await;
    let explained = why().await;
    let facts = &explained["instances"][0]["facts"];
    assert_eq!(fact(facts, "is routed by the gateway")["holds"], false);
    assert_eq!(fact(facts, "every gateway knows")["holds"], true);
    assert_eq!(fact(facts, "nothing is in flight")["holds"], true);
}
