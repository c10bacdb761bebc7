//! Prepared queries and snapshots, compared with what Consul answers.

use axum::body::Body;
use serde_json::{Value, json};

use crate::face::{Answer, Face};

async fn create(face: &Face, body: Value) -> Answer {
    face.send("POST /v1/query", &[], body.to_string()).await
}

async fn created(face: &Face, body: Value) -> String {
    let answer = create(face, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["ID"].as_str().unwrap().to_string()
}

#[tokio::test]
async fn a_query_is_made_changed_listed_and_deleted() {
    let face = Face::new().await;
    let given = json!({"Name": "webq", "Service": {"Service": "web", "OnlyPassing": true, "Tags": ["v1"],
        "Failover": {"NearestN": 2}}, "DNS": {"TTL": "10s"}});
    let id = created(&face, given).await;
    let listed = face.get("/v1/query").await;
    let index = listed.json()[0]["CreateIndex"].clone();
    let service = json!({"Service": "web", "Failover": {"NearestN": 2, "Datacenters": null}, "OnlyPassing": true,
        "IgnoreCheckIDs": null, "Near": "", "Tags": ["v1"], "NodeMeta": null, "ServiceMeta": null, "Connect": false});
    let expect = json!([{"ID": id, "Name": "webq", "Session": "", "Token": "",
        "Template": {"Type": "", "Regexp": "", "RemoveEmptyTags": false}, "Service": service,
        "DNS": {"TTL": "10s"}, "CreateIndex": index, "ModifyIndex": index}]);
    assert_eq!(listed.json(), expect);
    assert_eq!(listed.header("x-consul-effective-consistency"), Some("leader"));
    assert_eq!(face.get(&format!("/v1/query/{id}")).await.json(), expect);
    let changed = json!({"name": "webq", "service": {"service": "db"}}).to_string();
    let answer = face.send(&format!("PUT /v1/query/{id}"), &[], changed.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, ""));
    assert_eq!(face.get(&format!("/v1/query/{id}")).await.json()[0]["Service"]["Service"], "db");
    let answer = face.send("PUT /v1/query/none", &[], changed.replace("webq", "other")).await;
    assert_eq!(answer.text(), "Cannot modify non-existent prepared query: 'none'");
    for _ in 0..2 {
        let answer = face.send(&format!("DELETE /v1/query/{id}"), &[], Body::empty()).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, ""));
    }
    assert_eq!(face.get("/v1/query").await.json(), json!([]));
    let answer = face.get(&format!("/v1/query/{id}")).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (404, "Query not found"));
}

#[tokio::test]
async fn a_query_finds_the_instances_of_its_service() {
    let face = Face::new().await;
    let instance = face.deploy("web").await;
    created(
        &face,
        json!({"Name": "webq", "Service": {"Service": "web", "OnlyPassing": true}, "DNS": {"TTL": "10s"}}),
    )
    .await;
    let answer = face.get("/v1/query/webq/execute").await;
    let mut executed = answer.json();
    let nodes = executed["Nodes"].take();
    let expect = json!({"Service": "web", "Nodes": null, "DNS": {"TTL": "10s"}, "Datacenter": "dc1", "Failovers": 0,
        "Index": 1, "LastContact": 0, "KnownLeader": true, "ConsistencyLevel": "leader", "NotModified": false,
        "Backend": 0});
    assert_eq!(executed, expect);
    assert_eq!(nodes, face.get("/v1/health/service/web").await.json(), "in the same shape");
    assert_eq!(nodes[0]["Service"]["ID"], json!(instance.id.as_str()));
    let other =
        created(&face, json!({"Name": "tagged", "Service": {"Service": "web", "Tags": ["none"]}})).await;
    assert_eq!(face.get(&format!("/v1/query/{other}/execute")).await.json()["Nodes"], json!([]));
    assert_eq!(face.get("/v1/query/none/execute").await.text(), "Query not found");
}

#[tokio::test]
async fn who_asks_for_what_is_near_is_told_of_that_node_first() {
    let face = Face::new().await;
    for node in ["a", "node1", "z"] {
        let body = json!({"Node": node, "Address": "10.1.2.3", "Service": {"Service": "pay", "Port": 80},
            "Check": {"Name": "c", "Status": "passing", "ServiceID": "pay"}});
        let answer = face.send("PUT /v1/catalog/register", &[], body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    created(&face, json!({"Name": "near", "Service": {"Service": "pay", "Near": "_agent"}})).await;
    let nodes = async |path: &str| -> Vec<String> {
        let answer = face.get(path).await.json();
        let list = answer.get("Nodes").unwrap_or(&answer).as_array().unwrap();
        let name = |entry: &Value| {
            let node = &entry["Node"];
            node.get("Node").unwrap_or(node).as_str().unwrap().to_string()
        };
        list.iter().filter(|entry| entry["CheckID"] != "serfHealth").map(name).collect()
    };
    for path in [
        "catalog/service/pay",
        "health/service/pay",
        "health/checks/pay",
        "health/state/any",
        "catalog/nodes",
    ] {
        assert_eq!(nodes(&format!("/v1/{path}")).await, ["a", "node1", "z"], "{path}");
        assert_eq!(nodes(&format!("/v1/{path}?near=_agent")).await, ["node1", "a", "z"], "{path}");
        assert_eq!(nodes(&format!("/v1/{path}?near=z")).await, ["z", "a", "node1"], "{path}");
    }
    assert_eq!(nodes("/v1/query/near/execute").await, ["node1", "a", "z"]);
    assert_eq!(nodes("/v1/query/near/execute?near=z&limit=1").await, ["z"]);
}

#[tokio::test]
async fn a_template_answers_for_every_name_that_begins_with_its_own() {
    let face = Face::new().await;
    face.deploy("web").await;
    let template = json!({"Name": "geo-", "Template": {"Type": "name_prefix_match", "Regexp": "^geo-(.*)-(.*)$"},
        "Service": {"Service": "${match(2)}", "Tags": ["${match(1)}"]}});
    created(&face, template).await;
    let nodes = face.get("/v1/query/geo-primary-web/execute").await.json()["Nodes"].clone();
    assert_eq!(nodes.as_array().unwrap().len(), 1);
    let explained = face.get("/v1/query/geo-primary-web/explain").await.json();
    assert_eq!(explained["Query"]["Service"]["Service"], "web");
    assert_eq!(explained["Query"]["Service"]["Tags"], json!(["primary"]));
    assert_eq!(explained["Query"]["Template"]["Type"], "name_prefix_match");
}

#[tokio::test]
async fn what_is_no_query_is_refused() {
    let face = Face::new().await;
    created(&face, json!({"Name": "taken", "Service": {"Service": "web"}})).await;
    let invalid = |what: &str| format!("Invalid prepared query: {what}");
    for (body, text) in [
        (json!({"Name": "bad"}), invalid("Must provide a Service name to query")),
        (json!({"Service": {"Service": "web"}}), invalid("Must be bound to a session")),
        (
            json!({"Name": "taken", "Service": {"Service": "web"}}),
            invalid("name 'taken' aliases an existing query name"),
        ),
        (
            json!({"Name": "x", "Service": {"Service": "web"}, "Template": {"Type": "odd"}}),
            invalid("Bad Template.Type 'odd'"),
        ),
        (
            json!({"Name": "x", "Session": "none", "Service": {"Service": "web"}}),
            "invalid session \"none\"".to_string(),
        ),
    ] {
        let answer = create(&face, body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (500, text.as_str()), "{body}");
    }
    assert_eq!(create(&face, json!({"Name": 1})).await.status, 400);
}

#[tokio::test]
async fn a_snapshot_is_adsums_own_and_is_restored_by_its_command() {
    let face = Face::new().await;
    let saved = face.get("/v1/snapshot").await;
    assert_eq!(saved.status, 200);
    assert!(saved.index() >= 1 && !saved.body.is_empty());
    let answer = face.send("PUT /v1/snapshot", &[], "x").await;
    assert_eq!(answer.status, 501);
    assert!(answer.text().contains("adsum snapshot restore"), "{}", answer.text());
}
