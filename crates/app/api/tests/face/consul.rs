//! Consul's endpoints, compared with what Consul answers.

use std::slice;

use adsum_model::{Health, Phase};
use serde_json::{Value, json};

use crate::face::{Answer, Face, instance};

#[track_caller]
fn check_headers(answer: &Answer, consistency: Option<&str>) {
    assert!(answer.index() >= 1);
    assert_eq!(answer.header("x-consul-knownleader"), Some("true"));
    assert_eq!(answer.header("x-consul-lastcontact"), Some("0"));
    assert_eq!(answer.header("x-consul-query-backend"), Some("blocking-query"));
    assert_eq!(answer.header("x-consul-effective-consistency"), consistency);
    assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
}

#[tokio::test]
async fn the_agent_says_who_leads_and_who_it_is() {
    let face = Face::new().await;
    let leader = face.get("/v1/status/leader").await;
    assert_eq!(
        (leader.text(), leader.header("content-type")),
        ("\"127.0.0.1:8500\"", Some("application/json"))
    );
    assert_eq!(face.get("/v1/status/peers").await.json(), json!(["127.0.0.1:8500"]));
    let own = face.get("/v1/agent/self").await.json();
    assert_eq!(own["Config"]["Datacenter"], "dc1");
    assert_eq!(own["Config"]["NodeName"], "node1");
    assert_eq!(own["Member"]["Status"], 1);
    assert_eq!(own["Config"]["NodeID"].as_str().unwrap().len(), 36);
    assert_eq!(face.get("/v1/catalog/datacenters").await.json(), json!(["dc1"]));
    assert_eq!(face.get("/v1/status/leader?dc=nowhere").await.text(), "No path to datacenter");
}

#[tokio::test]
async fn the_health_of_a_service_has_the_shape_that_clients_know() {
    let face = Face::new().await;
    let instance = face.deploy("web").await;
    let answer = face.get("/v1/health/service/web").await;
    check_headers(&answer, Some("leader"));
    let id = instance.id.as_str();
    let mut entries = answer.json();
    let node_id = entries[0]["Node"]["ID"].take();
    assert_eq!(node_id, face.get("/v1/agent/self").await.json()["Config"]["NodeID"]);
    let index = answer.index();
    let addresses = json!({"Address": "127.0.0.1", "Port": 20001});
    let expect = json!([{
        "Node": {"ID": null, "Node": "node1", "Address": "127.0.0.1", "Datacenter": "dc1",
            "TaggedAddresses": {"lan": "127.0.0.1", "lan_ipv4": "127.0.0.1", "wan": "127.0.0.1", "wan_ipv4": "127.0.0.1"},
            "Meta": {"consul-network-segment": ""}, "CreateIndex": 1, "ModifyIndex": 1},
        "Service": {"ID": id, "Service": "web", "Tags": ["v1", "primary"], "Address": "127.0.0.1",
            "TaggedAddresses": {"lan_ipv4": addresses, "wan_ipv4": addresses},
            "Meta": {"slot": "1", "version": "1"}, "Port": 20001, "Weights": {"Passing": 1, "Warning": 1},
            "EnableTagOverride": false, "Proxy": {"Mode": "", "MeshGateway": {}, "Expose": {}}, "Connect": {},
            "CreateIndex": index, "ModifyIndex": index},
        "Checks": [
            {"Node": "node1", "CheckID": "serfHealth", "Name": "Serf Health Status", "Status": "passing", "Notes": "",
                "Output": "Agent alive and reachable", "ServiceID": "", "ServiceName": "", "ServiceTags": [], "Type": "",
                "Interval": "", "Timeout": "", "ExposedPort": 0, "Definition": {}, "CreateIndex": 1, "ModifyIndex": 1},
            {"Node": "node1", "CheckID": format!("service:{id}"), "Name": "Service 'web' check", "Status": "passing",
                "Notes": "", "Output": "running, passing", "ServiceID": id, "ServiceName": "web",
                "ServiceTags": ["v1", "primary"], "Type": "tcp", "Interval": "10s", "Timeout": "5s", "ExposedPort": 0,
                "Definition": {}, "CreateIndex": index, "ModifyIndex": index},
        ],
    }]);
    assert_eq!(entries, expect);
}

#[tokio::test]
async fn only_what_is_asked_for_is_listed() {
    let face = Face::new().await;
    face.deploy("web").await;
    let mut starting = instance(2, "web", 2);
    starting.health = Health::Starting;
    face.put(starting).await;
    let mut over = instance(3, "web", 3);
    over.phase = Phase::Stopped;
    face.put(over).await;
    let count = async |query: &str| {
        face.get(&format!("/v1/health/service/web{query}")).await.json().as_array().unwrap().len()
    };
    assert_eq!(count("").await, 2);
    assert_eq!(count("?passing").await, 1);
    assert_eq!(count("?passing=true").await, 1);
    assert_eq!(count("?passing=false").await, 2);
    assert_eq!(count("?tag=v1&tag=primary").await, 2);
    assert_eq!(count("?tag=v1&tag=none").await, 0);
    assert_eq!(count("?node-meta=a:b").await, 0);
    assert_eq!(count("?dc=dc1&near=_agent").await, 2);
    let critical = face.get("/v1/health/service/web").await.json();
    assert_eq!(critical[1]["Checks"][1]["Status"], "critical");
}

#[tokio::test]
async fn a_filter_chooses_among_the_entries_of_each_list() {
    let face = Face::new().await;
    face.deploy("web").await;
    face.put(instance(2, "web", 2)).await;
    let count = async |path: &str| face.get(path).await.json().as_array().unwrap().len();
    for (filter, entries) in [
        ("", 2),
        ("Service.Port==20002", 1),
        ("Service.Meta.slot==2", 1),
        ("%22primary%22+in+Service.Tags+and+Checks.Status==critical", 0),
        ("not+Service.ID+matches+%22zzz%22", 2),
    ] {
        assert_eq!(count(&format!("/v1/health/service/web?filter={filter}")).await, entries, "{filter}");
    }
    assert_eq!(count("/v1/catalog/service/web?filter=ServicePort==20002").await, 1);
    assert_eq!(count("/v1/catalog/nodes?filter=Meta.x==y").await, 0);
    assert_eq!(count("/v1/catalog/nodes?filter=Node==node1").await, 1);
    assert_eq!(face.get("/v1/catalog/services?filter=ServiceName==db").await.json(), json!({}));
    let refused = face.get("/v1/health/service/web?filter=nonsense+===").await;
    let why = "Failed to create boolean expression evaluator: 1:12 (11): no match found, expected a value; found '='";
    assert_eq!((refused.status.as_u16(), refused.text()), (400, why));
}

#[tokio::test]
async fn an_unknown_service_is_an_empty_list() {
    let face = Face::new().await;
    for path in ["/v1/health/service/none", "/v1/catalog/service/none", "/v1/health/service/No_Name"] {
        let answer = face.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, "[]"), "{path}");
        check_headers(&answer, Some("leader"));
    }
    let missing = face.get("/v1/health/service/").await;
    assert_eq!((missing.status.as_u16(), missing.text()), (400, "Missing service name"));
}

#[tokio::test]
async fn the_catalog_has_services_with_their_tags_instances_and_nodes() {
    let face = Face::new().await;
    let instance = face.deploy("web").await;
    let services = face.get("/v1/catalog/services").await;
    check_headers(&services, Some("leader"));
    assert_eq!(services.json(), json!({"web": ["primary", "v1"]}));
    let registered = face.get("/v1/catalog/service/web?tag=v1").await.json();
    let entry = registered[0].as_object().unwrap();
    assert_eq!(entry["ServiceID"], instance.id.as_str());
    assert_eq!((&entry["ServiceAddress"], &entry["ServicePort"]), (&json!("127.0.0.1"), &json!(20001)));
    let keys: Vec<&str> = entry.keys().map(String::as_str).collect();
    for key in [
        "ID",
        "Node",
        "Address",
        "Datacenter",
        "TaggedAddresses",
        "NodeMeta",
        "ServiceKind",
        "ServiceName",
        "ServiceTags",
        "ServiceTaggedAddresses",
        "ServiceWeights",
        "ServiceMeta",
        "ServiceSocketPath",
        "ServiceEnableTagOverride",
        "ServiceProxy",
        "ServiceConnect",
        "CreateIndex",
        "ModifyIndex",
    ] {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
    let nodes = face.get("/v1/catalog/nodes").await;
    check_headers(&nodes, Some("leader"));
    assert_eq!(nodes.json()[0]["Node"], "node1");
}

#[tokio::test]
async fn consistency_is_as_asked_for_and_contradictions_are_refused() {
    let face = Face::new().await;
    check_headers(&face.get("/v1/health/service/web?stale").await, Some("stale"));
    check_headers(&face.get("/v1/health/service/web?consistent").await, Some("consistent"));
    let refused = async |query: &str| {
        let answer = face.get(&format!("/v1/health/service/web?{query}")).await;
        (answer.status.as_u16(), answer.text().to_string())
    };
    let both = "Cannot specify ?stale with ?consistent, conflicting semantics.";
    assert_eq!(refused("stale&consistent").await, (400, both.to_string()));
    let cached = "Cannot specify ?cached with ?consistent, conflicting semantics.";
    assert_eq!(refused("cached&consistent").await, (400, cached.to_string()));
    let answer = face.get("/v1/health/service/web?cached&near=_agent&merge-central-config").await;
    assert_eq!((answer.status.as_u16(), answer.header("x-cache")), (200, Some("MISS")));
    assert_eq!(refused("index=abc").await, (400, "Invalid index".to_string()));
    assert_eq!(refused("index=1&wait=abc").await, (400, "Invalid wait time".to_string()));
    assert_eq!(refused("dc=nowhere").await, (500, "No path to datacenter".to_string()));
}

#[tokio::test]
async fn pretty_is_indented_by_four() {
    let face = Face::new().await;
    assert_eq!(face.get("/v1/status/peers?pretty").await.text(), "[\n    \"127.0.0.1:8500\"\n]\n");
}

#[tokio::test]
async fn whoever_got_an_address_is_remembered_for_the_drain() {
    let face = Face::new().await;
    let asked = |name: &str| face.store.directory().was_asked(&name.parse().unwrap());
    for (name, path) in [
        ("web", "/v1/health/service/web?passing"),
        ("api", "/v1/catalog/service/api"),
        ("chirp-user-a", "/api/instances?prefix=chirp-user-"),
    ] {
        face.deploy(name).await;
        assert!(!asked(name));
        assert_ne!(face.get(path).await.json(), Value::Array(vec![]));
        assert!(asked(name), "{name}");
    }
    face.get("/v1/health/service/none").await;
    assert!(!asked("none"));
}

#[tokio::test]
async fn checks_are_listed_by_node_by_service_and_by_state() {
    let face = Face::new().await;
    let passing = face.deploy("web").await;
    let mut starting = instance(2, "web", 2);
    starting.health = Health::Starting;
    let critical = face.put(starting).await;
    let ids = async |path: &str| {
        let answer = face.get(path).await;
        check_headers(&answer, Some("leader"));
        let checks = answer.json();
        let ids =
            checks.as_array().unwrap().iter().map(|check| check["CheckID"].as_str().unwrap().to_string());
        ids.collect::<Vec<_>>()
    };
    let node = "serfHealth".to_string();
    let [first, second] = [&passing, &critical].map(|instance| format!("service:{}", instance.id));
    let all = vec![node.clone(), first.clone(), second.clone()];
    assert_eq!(ids("/v1/health/node/node1").await, all);
    assert_eq!(ids("/v1/health/node/none").await, [""; 0]);
    assert_eq!(ids("/v1/health/state/any").await, all);
    assert_eq!(ids("/v1/health/state/passing").await, [node, first.clone()]);
    assert_eq!(ids("/v1/health/state/critical").await, slice::from_ref(&second));
    assert_eq!(ids("/v1/health/state/bogus").await, [""; 0]);
    let filtered = "/v1/health/state/any?filter=ServiceName==web+and+Status==passing";
    assert_eq!(ids(filtered).await, slice::from_ref(&first));
    assert_eq!(ids("/v1/health/checks/web").await, [first, second]);
    assert_eq!(ids("/v1/health/checks/none").await, [""; 0]);
}

#[tokio::test]
async fn a_node_is_told_with_what_runs_there() {
    let face = Face::new().await;
    let instance = face.deploy("web").await;
    let id = instance.id.as_str();
    let by_id = face.get("/v1/catalog/node/node1").await;
    check_headers(&by_id, Some("leader"));
    assert_eq!(by_id.json()["Node"]["Node"], "node1");
    assert_eq!(by_id.json()["Services"][id]["Service"], "web");
    let listed = face.get("/v1/catalog/node-services/node1").await.json();
    assert_eq!(listed["Services"][0], by_id.json()["Services"][id]);
    assert_eq!(face.get("/v1/catalog/node/none").await.json(), Value::Null);
    assert_eq!(face.get("/v1/catalog/node-services/none").await.json(), Value::Null);
}

#[tokio::test]
async fn the_agent_tells_what_runs_on_its_own_node() {
    let face = Face::new().await;
    let instance = face.deploy("web").await;
    let id = instance.id.as_str();
    let addresses = json!({"Address": "127.0.0.1", "Port": 20001});
    let mut expect = json!({"ID": id, "Service": "web", "Tags": ["v1", "primary"], "Address": "127.0.0.1",
        "TaggedAddresses": {"lan_ipv4": addresses, "wan_ipv4": addresses}, "Meta": {"slot": "1", "version": "1"},
        "Port": 20001, "Weights": {"Passing": 1, "Warning": 1}, "EnableTagOverride": false, "Datacenter": "dc1"});
    assert_eq!(face.get("/v1/agent/services").await.json(), json!({ id: expect }));
    let one = face.get(&format!("/v1/agent/service/{id}")).await;
    let hash = one.header("x-consul-contenthash").unwrap().to_string();
    expect["ContentHash"] = hash.into();
    assert_eq!(one.json(), expect);
    let none = face.get("/v1/agent/service/none").await;
    assert_eq!((none.status.as_u16(), none.text()), (404, "unknown service ID: none"));
    let check = format!("service:{id}");
    assert_eq!(face.get("/v1/agent/checks").await.json()[&check]["Status"], "passing");
    assert_eq!(face.get("/v1/agent/members").await.json()[0]["Name"], "node1");
}

#[tokio::test]
async fn a_service_of_the_agent_is_waited_for_by_its_hash() {
    let face = Face::new().await;
    let instance = face.deploy("web").await;
    let path = format!("/v1/agent/service/{}", instance.id);
    let hash = face.get(&path).await.header("x-consul-contenthash").unwrap().to_string();
    let known = format!("{path}?hash={hash}&wait=10m");
    let blocked = face.get(&known);
    let mut moved = instance.clone();
    moved.version += 1;
    let (answer, _) = tokio::join!(blocked, face.put(moved));
    assert_eq!(answer.json()["Meta"]["version"], "2");
    assert_ne!(answer.header("x-consul-contenthash"), Some(hash.as_str()));
    let over =
        face.get(&format!("{path}?hash={}&wait=1ms", answer.header("x-consul-contenthash").unwrap())).await;
    assert_eq!(over.json(), answer.json(), "nothing has changed, and the time is over");
}

#[tokio::test]
async fn a_load_balancer_reads_health_off_the_status() {
    let face = Face::new().await;
    let mut instance = face.deploy("web").await;
    let by_id = format!("/v1/agent/health/service/id/{}", instance.id);
    for (health, status, code) in [
        (Health::Passing, "passing", 200),
        (Health::Warning, "warning", 429),
        (Health::Critical, "critical", 503),
    ] {
        instance.health = health;
        instance = face.put(instance).await;
        let one = face.get(&by_id).await;
        assert_eq!((one.status.as_u16(), &one.json()["AggregatedStatus"]), (code, &json!(status)));
        assert_eq!(one.json()["Checks"][0]["Status"], status);
        let named = face.get("/v1/agent/health/service/name/web").await;
        assert_eq!((named.status.as_u16(), &named.json()[0]), (code, &one.json()));
        let text = face.get("/v1/agent/health/service/name/web?format=text").await;
        assert_eq!((text.status.as_u16(), text.text()), (code, status));
    }
    let none = face.get("/v1/agent/health/service/name/none").await;
    assert_eq!((none.status.as_u16(), none.json()), (404, json!([])));
    let none = face.get("/v1/agent/health/service/id/none?format=text").await;
    assert_eq!((none.status.as_u16(), none.text()), (404, "ServiceId none not found"));
}

#[tokio::test]
async fn one_agent_answers_as_a_datacenter_with_one_server_that_is_well() {
    let face = Face::new().await;
    let own = face.get("/v1/agent/self").await.json();
    let raft = face.get("/v1/operator/raft/configuration").await.json();
    assert_eq!(raft["Servers"][0]["ID"], own["Config"]["NodeID"]);
    assert_eq!(raft["Servers"][0]["Leader"], true);
    let health = face.get("/v1/operator/autopilot/health").await.json();
    assert_eq!((&health["Healthy"], &health["Servers"][0]["Name"]), (&json!(true), &json!("node1")));
    assert_eq!(face.get("/v1/operator/autopilot/configuration").await.json()["CleanupDeadServers"], true);
    let keyring = face.get("/v1/operator/keyring").await;
    assert_eq!(
        (keyring.status.as_u16(), keyring.text()),
        (500, "node1: Keyring is empty (encryption not enabled)")
    );
    let datacenters = face.get("/v1/coordinate/datacenters").await.json();
    assert_eq!(datacenters[0]["Coordinates"][0]["Coord"], own["Coord"]);
    assert_eq!(face.get("/v1/coordinate/nodes").await.json()[0]["Node"], "node1");
    assert_eq!(face.get("/v1/coordinate/node/node1").await.json()[0]["Node"], "node1");
    assert_eq!(face.get("/v1/coordinate/node/none").await.status, 404);
    // Clients ask for what their Consul can do; whose work it is stands beside.
    assert_eq!(
        (&own["Config"]["Version"], &own["Config"]["Revision"]),
        (&json!("1.21.0"), &json!("adsum.0.1.0"))
    );
    assert_eq!(own["Member"]["Tags"]["build"], "1.21.0:adsum.0.1.0");
    assert_eq!(face.get("/v1/agent/version").await.json()["HumanVersion"], "1.21.0+adsum.0.1.0");
}

#[tokio::test]
async fn prometheus_finds_what_it_scrapes() {
    let face = Face::new().await;
    let instance = face.deploy("web").await;
    let expect = json!([{"targets": ["127.0.0.1:20001"], "labels": {
        "__meta_adsum_service": "web", "__meta_adsum_instance": instance.id.as_str(),
        "__meta_adsum_node": "node1", "__meta_adsum_slot": "1", "__meta_adsum_version": "1",
        "__meta_adsum_health": "passing", "__meta_adsum_tags": ",v1,primary,"}}]);
    let all = face.get("/api/targets").await;
    assert_eq!((all.header("content-type"), all.json()), (Some("application/json"), expect.clone()));
    assert_eq!(face.get("/api/targets?service=web&tag=v1&tag=primary").await.json(), expect);
    assert_eq!(face.get("/api/targets?service=db").await.json(), json!([]));
    assert_eq!(face.get("/api/targets?tag=v2").await.json(), json!([]));
    let body =
        json!({"Name": "Web", "ID": "w", "Address": "fd00::1", "Port": 81, "Tags": ["v2"]}).to_string();
    face.send("PUT /v1/agent/service/register", &[], body).await;
    face.send("PUT /v1/agent/service/register", &[], json!({"Name": "no-port"}).to_string()).await;
    let registered = json!([{"targets": ["[fd00::1]:81"], "labels": {
        "__meta_adsum_service": "Web", "__meta_adsum_instance": "w", "__meta_adsum_node": "node1",
        "__meta_adsum_health": "passing", "__meta_adsum_tags": ",v2,"}}]);
    assert_eq!(face.get("/api/targets?tag=v2").await.json(), registered);
    assert_eq!(face.get("/api/targets?service=web").await.json().as_array().unwrap().len(), 2);
    let metrics = face.get("/v1/agent/metrics?format=prometheus").await;
    assert_eq!(metrics.header("content-type"), face.get("/metrics").await.header("content-type"));
    let told = face.get("/v1/agent/metrics").await.json();
    let gauges = told["Gauges"].as_array().unwrap();
    let names: Vec<&str> = gauges.iter().map(|gauge| gauge["Name"].as_str().unwrap()).collect();
    assert!(names.contains(&"adsum_gateway_in_flight"), "{told}");
    let text = metrics.text();
    assert!(names.iter().all(|name| text.contains(&format!("# TYPE {name} gauge\n"))), "{names:?}");
    let counters = told["Counters"].as_array().unwrap();
    assert!(counters.iter().any(|counter| counter["Name"] == "adsum_gateway_connections_accepted_total"));
    assert!(told["Timestamp"].as_str().unwrap().ends_with(" +0000 UTC"));
}
