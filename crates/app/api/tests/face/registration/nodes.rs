//! Nodes without an agent.

use serde_json::{Value, json};

use super::check_refused;
use crate::face::{Face, instance, soon};

#[tokio::test]
async fn a_node_without_an_agent_is_told_as_it_was_registered() {
    let face = Face::new().await;
    let register = async |body: Value| face.put_json("/v1/catalog/register", &body).await;
    let pay = json!({"Node": "ext", "Address": "10.1.2.3", "NodeMeta": {"rack": "r1"},
        "Service": {"ID": "pay1", "Service": "pay", "Tags": ["a"], "Port": 9000},
        "Check": {"Name": "pay", "CheckID": "service:pay1", "ServiceID": "pay1", "Status": "passing"}});
    let answer = register(pay).await;
    assert_eq!((answer.header("content-type"), answer.text()), (Some("application/json"), "true"));
    assert_eq!(
        register(json!({"Node": "ext2", "Address": "10.1.2.4", "Service": {"Service": "pay"}})).await.text(),
        "true"
    );
    let entries = face.get("/v1/health/service/pay").await.json();
    let [created, modified] = ["CreateIndex", "ModifyIndex"].map(|index| entries[0]["Node"][index].clone());
    assert_eq!(
        entries[0]["Node"],
        json!({"ID": "", "Node": "ext", "Address": "10.1.2.3", "Datacenter": "dc1",
        "TaggedAddresses": null, "Meta": {"rack": "r1"}, "CreateIndex": created, "ModifyIndex": modified})
    );
    assert_eq!(entries[0]["Checks"].as_array().unwrap().len(), 1);
    assert_eq!((&entries[0]["Checks"][0]["Type"], &entries[1]["Checks"]), (&json!(""), &json!([])));
    assert_eq!(face.count("/v1/health/service/pay?passing").await, 2);
    let nodes = face.get("/v1/catalog/nodes").await.json();
    let names: Vec<&Value> = nodes.as_array().unwrap().iter().map(|node| &node["Node"]).collect();
    assert_eq!(names, ["ext", "ext2", "node1"]);
    assert_eq!(face.count("/v1/catalog/nodes?node-meta=rack:r1").await, 1);
    assert_eq!(face.count("/v1/health/state/any?node-meta=rack:r1").await, 1);
    assert_eq!(face.count("/v1/health/node/ext").await, 1);
    for (body, text) in [
        (
            json!({"Node": "ext", "Service": {"Service": "x"}}),
            "Must provide address if SkipNodeUpdate is not set",
        ),
        (json!({"Address": "10.0.0.1"}), "Must provide node"),
        (json!({"Node": "ext", "Address": "10.0.0.1", "Datacenter": "nowhere"}), "No path to datacenter"),
        (
            json!({"Node": "x", "Address": "1.1.1.1", "Check": {"Name": "c", "ServiceID": "z"}}),
            "Missing service registration",
        ),
        (
            json!({"Node": "none", "SkipNodeUpdate": true, "Service": {"Service": "x"}}),
            "Missing node registration",
        ),
    ] {
        check_refused(&register(body).await, 500, text);
    }
    let deregister = async |body: Value| face.put_json("/v1/catalog/deregister", &body).await;
    assert_eq!(deregister(json!({"Node": "ext", "ServiceID": "pay1"})).await.text(), "true");
    assert_eq!(face.count("/v1/health/service/pay").await, 1);
    assert_eq!(deregister(json!({"Node": "ext2"})).await.text(), "true");
    assert_eq!(face.count("/v1/health/service/pay").await, 0);
    assert_eq!(face.count("/v1/catalog/nodes").await, 2);
    check_refused(&deregister(json!({})).await, 500, "Must provide node");
}

#[tokio::test]
async fn who_waits_for_nodes_wakes_when_one_is_registered() {
    let face = Face::new().await;
    face.put(instance(1, "web", 1)).await;
    let index = face.get("/v1/catalog/nodes").await.index();
    let path = format!("/v1/catalog/nodes?index={index}&wait=10m");
    let blocked = soon(face.get(&path));
    let body = json!({"Node": "ext", "Address": "10.1.2.3"});
    let (answer, _) = tokio::join!(blocked, face.put_json("/v1/catalog/register", &body));
    assert_eq!(answer.json().as_array().unwrap().len(), 2);
}
