//! What is not registered, and in which words that is said.

use serde_json::json;

use super::check_refused;
use crate::face::Face;

#[tokio::test]
async fn what_consul_refuses_of_a_service_is_refused_in_its_words() {
    let face = Face::new().await;
    let refused = async |body: &str| face.send("PUT /v1/agent/service/register", &[], body.to_string()).await;
    for (body, text) in [
        ("{}", "Missing service name"),
        (
            "{not json",
            "Request decode failed: invalid character 'n' looking for beginning of object key string",
        ),
        (
            r#"{"Name": "a", "Check": {"HTTP": "http://x/", "Interval": "abc"}}"#,
            "Request decode failed: time: invalid duration \"abc\"",
        ),
        (r#"{"Name": "a", "Check": {"Name": "b"}}"#, "Invalid check: TTL must be > 0 for TTL checks"),
        (
            r#"{"Name": "a", "Check": {"TCP": "x:1"}}"#,
            "Invalid check: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks",
        ),
        (
            r#"{"Name": "a", "Check": {"TTL": "1s", "Status": "odd"}}"#,
            "Status for checks must 'passing', 'warning', 'critical'",
        ),
        (r#"{"Name": "a", "Address": "0.0.0.0"}"#, "Invalid service address"),
        (
            r#"{"Name": "a", "Kind": "connect-proxy"}"#,
            "Connect is not enabled here: leave Kind, Proxy and Connect out",
        ),
        (
            r#"{"Name": "a", "Port": "80"}"#,
            "Request decode failed: json: cannot unmarshal string into Go struct field .Port of type int",
        ),
    ] {
        check_refused(&refused(body).await, 400, text);
    }
    let scripts = "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true";
    let script = r#"{"Name": "a", "Check": {"Args": ["true"], "Interval": "1s"}}"#;
    check_refused(&refused(script).await, 500, scripts);
    let large = refused(&format!("{{\"Name\": \"{}\"}}", "a".repeat(1 << 20))).await;
    assert_eq!(large.status, 413);
    check_refused(&face.get("/v1/agent/service/register").await, 405, "method GET not allowed");
    let unknown = "Unknown service ID \"none\". Ensure that the service ID is passed, not the service name.";
    check_refused(&face.put_bare("/v1/agent/service/deregister/none").await, 404, unknown);
    assert_eq!(face.get("/v1/agent/services").await.json(), json!({}), "nothing of it is there");
}

#[tokio::test]
async fn what_is_larger_than_anybody_needs_is_refused_with_its_size() {
    let face = Face::new().await;
    let name = |more: usize| "n".repeat(512 + more);
    let large = |what: &str, size: usize, most: usize| {
        let unit =
            if matches!(what, "service tags" | "checks of one registration") { "entries" } else { "bytes" };
        format!("Invalid {what}: {size} {unit} are more than the {most} that are taken")
    };
    face.register(json!({"Name": name(0), "Check": {"TTL": "30s"}})).await;
    let body = "b".repeat(65536);
    for (body, text) in [
        (json!({"Name": name(1)}), large("service ID", 513, 512)),
        (json!({"ID": "a", "Name": name(1)}), large("service name", 513, 512)),
        (json!({"Name": "a", "Tags": vec!["t"; 256]}), large("service tags", 256, 255)),
        (json!({"Name": "a", "Tags": ["t".repeat(1025)]}), large("service tag", 1025, 1024)),
        (
            json!({"Name": "a", "Meta": {"k": "v".repeat(1025)}}),
            large("value in the service metadata", 1025, 1024),
        ),
        (
            json!({"Name": "a", "Meta": {"srv-priority": "70000"}}),
            "Invalid service metadata: srv-priority '70000' is no priority: use 0 to 65535".to_string(),
        ),
        (json!({"Name": "a", "Check": {"TTL": "1s", "CheckID": name(1)}}), large("check ID", 513, 512)),
        (json!({"Name": "a", "Check": {"TTL": "1s", "Name": name(1)}}), large("check name", 513, 512)),
        (
            json!({"Name": "a", "Check": {"TTL": "1s", "Notes": "n".repeat(4097)}}),
            large("check notes", 4097, 4096),
        ),
        (
            json!({"Name": "a", "Checks": vec![json!({"TTL": "1s"}); 1001]}),
            large("checks of one registration", 1001, 1000),
        ),
    ] {
        check_refused(&face.put_json("/v1/agent/service/register", &body).await, 400, &text);
    }
    let probe = json!({"Name": "c", "HTTP": "http://x/", "Interval": "9s", "Body": body});
    let refused = face.put_json("/v1/agent/check/register", &probe).await;
    assert!(refused.status == 400 && refused.text().starts_with("Invalid check definition: 65"));
    let node = json!({"Node": name(1), "Address": "10.1.2.3"});
    check_refused(&face.put_json("/v1/catalog/register", &node).await, 400, &large("node name", 513, 512));
}
