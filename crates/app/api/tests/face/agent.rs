//! What one agent tells of itself and its machine, and what it has no part in.

use adsum_api::limits;
use serde_json::{Value, json};

use crate::face::Face;

#[tokio::test]
async fn the_machine_is_told_in_the_shape_that_clients_know() {
    let face = Face::new().await;
    let host = face.get("/v1/agent/host").await.json();
    let number = |place: &str| host.pointer(place).and_then(Value::as_f64).unwrap_or(-1.0);
    assert!(number("/Memory/total") > number("/Memory/available"), "{host}");
    for place in ["/Host/uptime", "/Host/procs", "/Disk/total", "/Disk/inodesTotal", "/CollectionTime"] {
        assert!(number(place) > 0.0, "{place} of {host}");
    }
    assert_eq!((&host["Host"]["os"], &host["Disk"]["path"]), (&json!("linux"), &json!("/")));
    assert_eq!(host["CPU"][0]["cpu"], 0);
    assert_eq!(host["Errors"], Value::Null);
}

#[tokio::test]
async fn one_server_tells_its_state_and_how_much_it_has() {
    let face = Face::new().await;
    face.deploy("web").await;
    let body = json!({"Name": "Web", "ID": "a"}).to_string();
    assert_eq!(face.send("PUT /v1/agent/service/register", &[], body).await.status, 200);
    let state = face.get("/v1/operator/autopilot/state").await.json();
    let id = state["Leader"].as_str().unwrap();
    assert_eq!((&state["Servers"][id]["Status"], &state["Voters"]), (&json!("leader"), &json!([id])));
    let usage = face.get("/v1/operator/usage").await.json();
    let usage = &usage["Usage"]["dc1"];
    assert_eq!(
        (&usage["Nodes"], &usage["Services"], &usage["ServiceInstances"]),
        (&json!(1), &json!(1), &json!(2))
    );
}

#[tokio::test]
async fn what_one_agent_has_no_part_in_is_refused_in_the_words_of_consul() {
    let face = Face::new().await;
    let no_connect = "Connect must be enabled in order to use this endpoint";
    let own = "need at least one voter in configuration: this is the only server";
    let id = face.get("/v1/agent/self").await.json()["Config"]["NodeID"].as_str().unwrap().to_string();
    for (line, status, text) in [
        ("GET /v1/acl/tokens", 401, "ACL support disabled"),
        ("PUT /v1/acl/token", 401, "ACL support disabled"),
        ("PUT /v1/agent/token/default", 401, "ACL support disabled"),
        ("GET /v1/connect/ca/roots", 500, no_connect),
        ("GET /v1/agent/connect/ca/leaf/web", 500, no_connect),
        ("POST /v1/agent/connect/authorize", 500, no_connect),
        ("PUT /v1/coordinate/update", 401, "Coordinate support disabled"),
        ("PUT /v1/agent/force-leave/other", 500, "agent: No node found with name 'other'"),
        ("PUT /v1/agent/leave", 500, "this agent is the only one of its datacenter: end it with SIGTERM"),
        ("POST /v1/operator/raft/transfer-leader", 500, "cannot find peer: this is the only server"),
        ("DELETE /v1/operator/raft/peer?id=x", 500, "id \"x\" was not found in the Raft configuration"),
        (&format!("DELETE /v1/operator/raft/peer?id={id}"), 500, own),
        ("GET /v1/health/node/", 400, "Missing node name"),
        ("GET /v1/health/state/", 400, "Missing check state"),
    ] {
        let answer = face.send(line, &[], "").await;
        assert_eq!((answer.status.as_u16(), answer.text()), (status, text), "{line}");
    }
    for line in [
        "GET /v1/config/service-defaults",
        "GET /v1/discovery-chain/web",
        "GET /v1/peerings",
        "GET /v1/events",
    ] {
        assert_eq!(face.send(line, &[], "").await.status, 404, "{line}");
    }
    assert_eq!(face.send("PUT /v1/agent/join/127.0.0.1", &[], "").await.status, 200);
    let refused = face.send("PUT /v1/agent/join/192.0.2.1", &[], "").await;
    assert!(refused.status == 500 && refused.text().contains("Failed to join 192.0.2.1"));
    assert!(face.send("PUT /v1/agent/reload", &[], "").await.text().contains("--takeover"));
}

#[tokio::test]
async fn the_log_is_listened_to_by_so_many_at_a_time() {
    let face = Face::new().await;
    let refused = face.get("/v1/agent/monitor?loglevel=loud").await;
    assert_eq!((refused.status.as_u16(), refused.text()), (400, "Unknown log level: loud"));
    let mut open = Vec::new();
    for _ in 0..limits::MONITORS {
        open.push(face.open("GET /v1/agent/monitor?loglevel=debug", &[], "").await);
    }
    assert!(open.iter().all(|open| open.status == 200));
    assert_eq!(face.get("/v1/agent/monitor").await.status, 503);
    drop(open.pop());
    assert_eq!(face.open("GET /v1/agent/monitor", &[], "").await.status, 200);
}
