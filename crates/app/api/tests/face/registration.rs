//! What clients register: services, checks, nodes without an agent. Shapes and words are those that Consul answers.

use adsum_model::registered::Status;
use serde_json::{Value, json};

use crate::face::{Answer, Face, instance, soon};

impl Face {
    async fn put_json(&self, path: &str, body: &Value) -> Answer {
        self.send(&format!("PUT {path}"), &[], body.to_string()).await
    }

    async fn put_bare(&self, path: &str) -> Answer {
        self.send(&format!("PUT {path}"), &[], "").await
    }

    async fn register(&self, body: Value) {
        let answer = self.put_json("/v1/agent/service/register", &body).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, ""));
    }

    async fn count(&self, path: &str) -> usize {
        self.get(path).await.json().as_array().unwrap().len()
    }
}

#[track_caller]
fn check_refused(answer: &Answer, status: u16, text: &str) {
    assert_eq!((answer.status.as_u16(), answer.text()), (status, text));
}

fn web() -> Value {
    json!({"ID": "web-1", "Name": "web", "Tags": ["v1", "primary"], "Address": "127.0.0.1", "Port": 8081,
        "Meta": {"version": "1"}, "Weights": {"Passing": 10, "Warning": 1},
        "Check": {"Name": "web alive", "Notes": "ttl", "TTL": "30s"}})
}

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
