//! Services that clients register, beside those that Adsum runs.

use adsum_model::registered::Status;
use serde_json::{Value, json};

use super::web;
use crate::face::{Face, soon};

#[tokio::test]
async fn a_registered_service_is_told_in_the_shapes_that_clients_know() {
    let face = Face::new().await;
    face.register(web()).await;
    let addresses = json!({"Address": "127.0.0.1", "Port": 8081});
    let mut local = json!({"ID": "web-1", "Service": "web", "Tags": ["v1", "primary"], "Meta": {"version": "1"},
        "Port": 8081, "Address": "127.0.0.1", "TaggedAddresses": {"lan_ipv4": addresses, "wan_ipv4": addresses},
        "Weights": {"Passing": 10, "Warning": 1}, "EnableTagOverride": false, "Datacenter": "dc1"});
    assert_eq!(face.get("/v1/agent/services").await.json(), json!({"web-1": local}));
    let one = face.get("/v1/agent/service/web-1").await;
    local["ContentHash"] = one.header("x-consul-contenthash").unwrap().into();
    assert_eq!(one.json(), local);
    let health = face.get("/v1/health/service/web").await.json();
    let (created, checked) = (&health[0]["Service"]["CreateIndex"], &health[0]["Checks"][1]["ModifyIndex"]);
    assert_eq!(
        health[0]["Service"],
        json!({"ID": "web-1", "Service": "web", "Tags": ["v1", "primary"],
        "Address": "127.0.0.1", "TaggedAddresses": {"lan_ipv4": addresses, "wan_ipv4": addresses},
        "Meta": {"version": "1"}, "Port": 8081, "Weights": {"Passing": 10, "Warning": 1}, "EnableTagOverride": false,
        "Proxy": {"Mode": "", "MeshGateway": {}, "Expose": {}}, "Connect": {}, "CreateIndex": created,
        "ModifyIndex": created})
    );
    assert_eq!(health[0]["Checks"][0]["CheckID"], "serfHealth");
    assert_eq!(
        health[0]["Checks"][1],
        json!({"Node": "node1", "CheckID": "service:web-1", "Name": "web alive",
        "Status": "critical", "Notes": "ttl", "Output": "", "ServiceID": "web-1", "ServiceName": "web",
        "ServiceTags": ["v1", "primary"], "Type": "ttl", "Interval": "", "Timeout": "", "ExposedPort": 0,
        "Definition": {}, "CreateIndex": created, "ModifyIndex": checked})
    );
}

#[tokio::test]
async fn what_is_registered_is_found_beside_what_runs_here() {
    let face = Face::new().await;
    let run = face.deploy("web").await;
    face.register(json!({"name": "web", "id": "ext", "tags": ["v2"], "port": 90})).await;
    face.register(json!({"Name": "My_Service", "Port": 1})).await;
    let services = face.get("/v1/catalog/services").await.json();
    assert_eq!(services, json!({"My_Service": [], "web": ["primary", "v1", "v2"]}));
    let entries = face.get("/v1/catalog/service/web").await.json();
    let ids: Vec<&Value> = entries.as_array().unwrap().iter().map(|entry| &entry["ServiceID"]).collect();
    assert_eq!(ids, [run.id.as_str(), "ext"]);
    assert_eq!((&entries[1]["ServiceAddress"], &entries[1]["Address"]), (&json!(""), &json!("127.0.0.1")));
    assert_eq!(entries[1].get("ServiceTaggedAddresses"), None);
    for (path, expect) in [
        ("/v1/health/service/web?passing", 2),
        ("/v1/health/service/web?tag=v2", 1),
        ("/v1/health/service/web?filter=Service.Port==90", 1),
        ("/v1/health/service/WEB?tag=v2", 1),
        ("/v1/catalog/service/my_service", 1),
        ("/v1/catalog/service/web?filter=ServicePort==90", 1),
        ("/v1/catalog/service/web?node-meta=a:b", 0),
    ] {
        assert_eq!(face.count(path).await, expect, "{path}");
    }
    let node = face.get("/v1/catalog/node/node1").await.json();
    assert_eq!(node["Services"].as_object().unwrap().len(), 3);
    assert_eq!(node["Services"]["ext"]["Port"], 90);
}

#[tokio::test]
async fn a_service_that_adsum_runs_is_created_and_removed_beside_one_that_is_registered() {
    let face = Face::new().await;
    face.register(json!({"Name": "web", "Port": 90})).await;
    let run = face.deploy("web").await;
    assert_eq!(face.get("/api/services/web").await.json()["instances"].as_array().unwrap().len(), 1);
    let refused = face.put_bare(&format!("/v1/agent/service/deregister/{}", run.id)).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("adsum service rm web"), "{}", refused.text());
    assert_eq!(face.count("/v1/health/service/web").await, 2);
    assert_eq!(face.put_bare("/v1/agent/service/deregister/web").await.status, 200);
    assert_eq!(face.count("/v1/health/service/web").await, 1);
}

#[tokio::test]
async fn what_is_answered_is_seen_by_all_who_read_the_catalog() {
    let face = Face::new().await;
    for number in 0..200 {
        let id = format!("web-{number}");
        face.register(json!({"ID": id, "Name": "web", "Check": {"TTL": "60s"}})).await;
        assert!(face.store.directory().view().registry().service("node1", &id).is_some(), "{id}");
        assert_eq!(face.put_bare(&format!("/v1/agent/check/pass/service:{id}")).await.status, 200);
        let view = face.store.directory().view();
        let check = view.registry().check("node1", &format!("service:{id}"));
        assert_eq!(check.unwrap().status, Status::Passing, "{id}");
    }
}

#[tokio::test]
async fn a_blocked_query_wakes_for_its_own_service_alone() {
    let face = Face::new().await;
    face.register(web()).await;
    let index = face.get("/v1/health/service/web").await.index();
    let path = format!("/v1/health/service/web?index={index}&wait=10m");
    let blocked = soon(face.get(&path));
    let change = async {
        face.register(json!({"Name": "other"})).await;
        face.register(web()).await;
        assert_eq!(face.put_bare("/v1/agent/check/pass/service:web-1").await.status, 200);
    };
    let (answer, ()) = tokio::join!(blocked, change);
    assert_eq!(answer.json()[0]["Checks"][1]["Status"], "passing");
    assert!(answer.index() > index);
}

#[tokio::test]
async fn an_id_may_have_slashes_and_a_check_is_made_once_a_second_at_most() {
    let face = Face::new().await;
    face.register(json!({"ID": "a/b", "Name": "web", "Check": {"TCP": "127.0.0.1:1", "Interval": "10ms"}}))
        .await;
    let checks = face.get("/v1/agent/checks").await.json();
    assert_eq!(checks["service:a/b"]["Interval"], "1s");
    let path = "/v1/agent/service/maintenance/a/b?enable=true";
    assert_eq!(face.put_bare(path).await.status, 200);
    assert_eq!(face.put_bare("/v1/agent/check/deregister/service:a/b").await.status, 200);
    assert_eq!(face.put_bare("/v1/agent/service/deregister/a/b").await.status, 200);
    assert_eq!(face.get("/v1/agent/services").await.json(), json!({}));
}
