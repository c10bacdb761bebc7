//! Maintenance by Consul's endpoints, where it is a check.

use serde_json::{Value, json};

use super::check_refused;
use crate::face::Face;

#[tokio::test]
async fn a_service_in_maintenance_is_shown_and_does_not_pass() {
    let face = Face::new().await;
    face.register(json!({"ID": "web-1", "Name": "web"})).await;
    let path = "/v1/agent/service/maintenance/web-1";
    assert_eq!(face.put_bare(&format!("{path}?enable=true&reason=upgrade")).await.status, 200);
    let check = face.get("/v1/agent/checks").await.json()["_service_maintenance:web-1"].take();
    let [created, modified] = ["CreateIndex", "ModifyIndex"].map(|index| check[index].clone());
    assert_eq!(
        check,
        json!({"Node": "node1", "CheckID": "_service_maintenance:web-1",
        "Name": "Service Maintenance Mode", "Status": "critical", "Notes": "upgrade", "Output": "",
        "ServiceID": "web-1", "ServiceName": "web", "ServiceTags": [], "Type": "maintenance", "Interval": "",
        "Timeout": "", "ExposedPort": 0, "Definition": {}, "CreateIndex": created, "ModifyIndex": modified})
    );
    assert_eq!(face.get("/v1/health/service/web?passing").await.json(), json!([]));
    face.register(json!({"ID": "web-1", "Name": "web"})).await;
    assert_eq!(face.count("/v1/health/service/web?passing").await, 0);
    assert_eq!(face.put_bare(&format!("{path}?enable=false")).await.status, 200);
    assert_eq!(face.count("/v1/health/service/web?passing").await, 1);
    check_refused(&face.put_bare(path).await, 400, "Missing value for enable");
    check_refused(
        &face.put_bare(&format!("{path}?enable=odd")).await,
        400,
        "Invalid value for enable: \"odd\"",
    );
    let unknown = "Unknown service ID \"none\". Ensure that the service ID is passed, not the service name.";
    check_refused(&face.put_bare("/v1/agent/service/maintenance/none?enable=true").await, 404, unknown);
}

#[tokio::test]
async fn maintenance_of_an_instance_is_the_same_by_either_way() {
    let face = Face::new().await;
    let run = face.deploy("web").await;
    let check = format!("_service_maintenance:{}", run.id);
    let notes = async || face.get("/v1/agent/checks").await.json()[&check]["Notes"].clone();
    let path = format!("/v1/agent/service/maintenance/{}", run.id);
    assert_eq!(face.put_bare(&format!("{path}?enable=true&reason=disk")).await.status, 200);
    assert_eq!(notes().await, "disk");
    let instances = face.get("/api/services/web").await.json()["instances"].take();
    assert_eq!(
        (&instances[0]["health"], &instances[0]["maintenance"]),
        (&json!("maintenance"), &json!("disk"))
    );
    assert_eq!(face.put_bare(&format!("{path}?enable=false")).await.status, 200);
    assert_eq!(notes().await, Value::Null);
    let own =
        face.write(&format!("PUT /api/instances/{}/maintenance", run.id), &json!({"reason": "own"})).await;
    assert_eq!((own.status.as_u16(), notes().await), (200, json!("own")));
    assert_eq!(face.count("/v1/health/service/web?passing").await, 0);
}

#[tokio::test]
async fn a_node_in_maintenance_takes_all_with_it() {
    let face = Face::new().await;
    face.deploy("api").await;
    face.register(json!({"Name": "web"})).await;
    assert_eq!(face.put_bare("/v1/agent/maintenance?enable=true").await.status, 200);
    let check = face.get("/v1/agent/checks").await.json()["_node_maintenance"].take();
    assert_eq!((&check["Name"], &check["ServiceID"]), (&json!("Node Maintenance Mode"), &json!("")));
    assert!(check["Notes"].as_str().unwrap().starts_with("Maintenance mode is enabled for this node"));
    for name in ["api", "web"] {
        assert_eq!(face.count(&format!("/v1/health/service/{name}?passing")).await, 0, "{name}");
        assert_eq!(face.count(&format!("/v1/health/service/{name}")).await, 1, "{name}");
    }
    assert_eq!(face.put_bare("/v1/agent/maintenance?enable=false").await.status, 200);
    assert_eq!(face.count("/v1/health/service/api?passing").await, 1);
}
