//! Checks of services and of the node: registered, told and taken out.

use adsum_model::registered::Status;
use serde_json::{Value, json};

use super::{check_refused, web};
use crate::face::Face;

#[tokio::test]
async fn scripts_may_be_registered_where_the_agent_was_told_so() {
    let face = Face::with(|about| about.script_checks = true).await;
    face.register(json!({"Name": "a", "Check": {"Args": ["true"], "Interval": "1s"}})).await;
    assert_eq!(face.get("/v1/agent/checks").await.json()["service:a"]["Type"], "script");
}

#[tokio::test]
async fn checks_are_told_passing_warning_and_critical() {
    let face = Face::new().await;
    face.register(web()).await;
    let status = async || {
        let check = face.get("/v1/agent/checks").await.json()["service:web-1"].clone();
        (check["Status"].as_str().unwrap().to_string(), check["Output"].as_str().unwrap().to_string())
    };
    let told = |status: Status, output: &str| (status.to_string(), output.to_string());
    assert_eq!(face.put_bare("/v1/agent/check/pass/service:web-1?note=fine").await.status, 200);
    assert_eq!(status().await, told(Status::Passing, "fine"));
    assert_eq!(face.get("/v1/agent/health/service/id/web-1").await.status, 200);
    assert_eq!(face.put_bare("/v1/agent/check/warn/service:web-1").await.status, 200);
    assert_eq!(status().await, told(Status::Warning, ""));
    assert_eq!(face.get("/v1/agent/health/service/name/web").await.status, 429);
    assert_eq!(face.put_bare("/v1/agent/check/fail/service:web-1?note=no").await.status, 200);
    assert_eq!(status().await, told(Status::Critical, "no"));
    assert_eq!(face.get("/v1/agent/health/service/name/web?format=text").await.text(), "critical");
    let update = json!({"Status": "passing", "Output": "ä".repeat(4096)});
    assert_eq!(face.put_json("/v1/agent/check/update/service:web-1", &update).await.status, 200);
    assert_eq!(status().await, told(Status::Passing, &"ä".repeat(2048)));
    let odd = face.put_json("/v1/agent/check/update/service:web-1", &json!({"Status": "odd"})).await;
    check_refused(&odd, 400, "Invalid check status: 'odd'");
    let unknown = "Unknown check ID \"none\". Ensure that the check ID is passed, not the check name.";
    check_refused(&face.put_bare("/v1/agent/check/pass/none").await, 404, unknown);
    check_refused(&face.put_bare("/v1/agent/check/deregister/none").await, 404, unknown);
}

#[tokio::test]
async fn a_check_is_registered_of_a_service_or_of_the_node_with_all_that_is_there() {
    let face = Face::new().await;
    let run = face.deploy("api").await;
    face.register(json!({"Name": "web", "Port": 90})).await;
    let register = async |body: Value| face.put_json("/v1/agent/check/register", &body).await;
    let tcp = json!({"ID": "port", "Name": "port", "ServiceID": "web", "TCP": "127.0.0.1:1", "Interval": "10s",
        "DeregisterCriticalServiceAfter": "90m", "Status": "passing"});
    assert_eq!(register(tcp.clone()).await.status, 200);
    let check = face.get("/v1/health/checks/web").await.json();
    assert_eq!(
        (&check[0]["Type"], &check[0]["Interval"], &check[0]["Status"]),
        (&json!("tcp"), &json!("10s"), &json!("passing"))
    );
    assert_eq!(face.count("/v1/health/service/web?passing").await, 1);
    assert_eq!(register(json!({"Name": "mem", "TTL": "1h"})).await.status, 200);
    assert_eq!(face.count("/v1/health/node/node1").await, 4);
    for (name, left) in [("web", 0), ("api", 0)] {
        assert_eq!(face.count(&format!("/v1/health/service/{name}?passing")).await, left, "{name}");
    }
    check_refused(
        &face.put_bare("/v1/agent/check/pass/port").await,
        500,
        "CheckID \"port\" does not have associated TTL",
    );
    assert_eq!(face.put_bare("/v1/agent/check/pass/mem").await.status, 200);
    assert_eq!(face.count("/v1/health/service/api?passing").await, 1);
    assert_eq!(face.put_bare("/v1/agent/check/deregister/port").await.status, 200);
    assert_eq!(face.get("/v1/health/checks/web").await.json(), json!([]));
    check_refused(&register(json!({"TTL": "1s"})).await, 400, "Missing check name");
    let of_none = register(json!({"Name": "a", "TTL": "1s", "ServiceID": "none"})).await;
    check_refused(&of_none, 500, "ServiceID \"none\" does not exist");
    assert_eq!(face.get(&format!("/v1/agent/health/service/id/{}", run.id)).await.status, 200);
}

#[tokio::test]
async fn checks_that_are_not_registered_again_go_if_that_is_asked_for() {
    let face = Face::new().await;
    let two = json!({"Name": "web", "Checks": [{"TTL": "1h"}, {"TTL": "1h", "CheckID": "own", "Status": "passing"}]});
    face.register(two).await;
    let ids = async || {
        let checks = face.get("/v1/agent/checks").await.json();
        checks.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(ids().await, ["own", "service:web:1"]);
    let one = json!({"Name": "web", "Check": {"TTL": "1h", "CheckID": "own"}});
    face.register(one.clone()).await;
    assert_eq!(ids().await, ["own", "service:web:1"]);
    let answer = face.put_json("/v1/agent/service/register?replace-existing-checks=true", &one).await;
    assert_eq!((answer.status.as_u16(), ids().await), (200, vec!["own".to_string()]));
    assert_eq!(face.get("/v1/agent/checks").await.json()["own"]["Status"], "passing");
}
