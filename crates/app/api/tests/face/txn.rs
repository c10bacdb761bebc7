//! Transactions and events of Consul, compared with what Consul answers.

use axum::body::Body;
use serde_json::{Value, json};

use crate::face::{Answer, Face, soon, still_waits};

async fn txn(face: &Face, operations: Value) -> Answer {
    face.send("PUT /v1/txn", &[], operations.to_string()).await
}

fn conflict(failures: &[(usize, &str)]) -> Value {
    let errors: Vec<Value> =
        failures.iter().map(|(index, what)| json!({"OpIndex": index, "What": what})).collect();
    json!({"Results": null, "Errors": errors})
}

#[tokio::test]
async fn a_transaction_tells_what_it_has_written_and_read() {
    let face = Face::new().await;
    let operations = json!([{"KV": {"Verb": "set", "Key": "t/1", "Value": "dg==", "Flags": 3}},
        {"kv": {"verb": "get", "key": "t/1"}}]);
    let answer = txn(&face, operations).await;
    let index = answer.json()["Results"][0]["KV"]["ModifyIndex"].clone();
    let of_key = |value: Value| {
        json!({"KV": {"LockIndex": 0, "Key": "t/1", "Flags": 3, "Value": value, "CreateIndex": index,
            "ModifyIndex": index}})
    };
    let expect = json!({"Results": [of_key(Value::Null), of_key("dg==".into())], "Errors": null});
    assert_eq!((answer.status.as_u16(), answer.json()), (200, expect));
    let entry = face.get("/v1/kv/t/1").await;
    assert_eq!(entry.json()[0]["ModifyIndex"], index);
    let operations = json!([{"KV": {"Verb": "get-tree", "Key": "t"}}, {"KV": {"Verb": "check-not-exists", "Key": "t/9"}},
        {"KV": {"Verb": "delete-tree", "Key": "t"}}]);
    let answer = txn(&face, operations).await;
    assert_eq!(answer.json(), json!({"Results": [of_key("dg==".into())], "Errors": null}));
    assert_eq!(face.get("/v1/kv/t/1").await.status, 404);
    assert_eq!(txn(&face, json!([])).await.json(), json!({"Results": [], "Errors": null}));
}

#[tokio::test]
async fn a_transaction_that_fails_leaves_nothing_and_says_what_failed() {
    let face = Face::new().await;
    let set = |key: &str| json!({"KV": {"Verb": "set", "Key": key, "Value": "dg=="}});
    txn(&face, json!([set("t/1")])).await;
    for (operations, failures) in [
        (
            json!([set("t/2"), {"KV": {"Verb": "cas", "Key": "t/1", "Index": 1, "Value": "dw=="}}]),
            vec![(1, "failed to set key \"t/1\", index is stale")],
        ),
        (json!([{"KV": {"Verb": "get", "Key": "t/none"}}]), vec![(0, "key \"t/none\" doesn't exist")]),
        (json!([set("x"), {"KV": {"Verb": "odd", "Key": "t"}}]), vec![(1, "unknown KV verb \"odd\"")]),
        (
            json!([{"Intention": {"Op": "create"}}]),
            vec![(0, "operations on Intention are not taken here: KV, Node, Service, Check and Session are")],
        ),
    ] {
        let answer = txn(&face, operations.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (409, conflict(&failures)), "{operations}");
    }
    assert_eq!(face.get("/v1/kv/?keys").await.json(), json!(["t/1"]));
    let many = json!(vec![set("x"); 129]);
    let answer = txn(&face, many).await;
    let text = "Transaction contains too many operations (129 > 128)";
    assert_eq!((answer.status.as_u16(), answer.text()), (413, text));
    for body in ["{}", "[1]", "[", "[{\"KV\":{\"Verb\":\"set\",\"Key\":\"a\",\"Value\":\"!\"}}]"] {
        assert_eq!(face.send("PUT /v1/txn", &[], body).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn a_transaction_locks_and_ends_sessions() {
    let face = Face::new().await;
    let session = face.send("PUT /v1/session/create", &[], "{\"LockDelay\": \"0s\"}").await;
    let id = session.json()["ID"].as_str().unwrap().to_string();
    let lock = json!([{"KV": {"Verb": "lock", "Key": "l", "Value": "", "Session": id}},
        {"KV": {"Verb": "check-session", "Key": "l", "Session": id}}]);
    let answer = txn(&face, lock).await;
    assert_eq!(answer.json()["Results"][1]["KV"]["Session"], json!(id));
    let unlock = json!([{"KV": {"Verb": "unlock", "Key": "l", "Value": "eA==", "Session": "other"}}]);
    let what = "failed to unlock key \"l\", lock isn't held, or is held by another session";
    assert_eq!(txn(&face, unlock).await.json(), conflict(&[(0, what)]));
    let end = json!([{"Session": {"Verb": "delete", "Session": {"ID": id}}}]);
    assert_eq!(txn(&face, end).await.status, 200);
    assert_eq!(face.get("/v1/kv/l").await.json()[0].get("Session"), None);
    assert_eq!(face.get("/v1/session/list").await.json(), json!([]));
}

fn of(kind: &str, verb: &str, record: Value) -> Value {
    let mut operation = json!({"Verb": verb});
    if kind == "Service" {
        operation["Node"] = "ext".into();
    }
    operation[kind] = record;
    json!({ kind: operation })
}

#[tokio::test]
async fn a_transaction_registers_with_keys_what_is_told_as_it_is_told_elsewhere() {
    let face = Face::new().await;
    let node = json!({"Node": "ext", "Address": "10.1.2.3", "Meta": {"rack": "r1"}});
    let service = json!({"ID": "pay-1", "Service": "pay", "Port": 443, "Tags": ["v1"]});
    let check = json!({"Node": "ext", "CheckID": "alive", "Name": "Alive", "Status": "passing",
        "ServiceID": "pay-1", "Definition": {"HTTP": "https://10.1.2.3/", "Interval": "10s"}});
    let operations = json!([of("Node", "set", node.clone()), of("Service", "set", service.clone()),
        of("Check", "set", check.clone()), {"KV": {"Verb": "set", "Key": "pay", "Value": "dg=="}}]);
    let answer = txn(&face, operations).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let results = answer.json()["Results"].clone();
    let index = results[3]["KV"]["ModifyIndex"].clone();
    let health = face.get("/v1/health/service/pay").await.json()[0].clone();
    assert_eq!(results[0]["Node"], health["Node"]);
    assert_eq!(results[1]["Service"], health["Service"]);
    assert_eq!(results[2]["Check"], health["Checks"][0]);
    assert_eq!(health["Checks"][0]["Definition"], check["Definition"]);
    assert_eq!((&results[0]["Node"]["ModifyIndex"], &results[2]["Check"]["CreateIndex"]), (&index, &index));
    let read = json!([
        of("Node", "get", json!({"Node": "ext"})),
        of("Service", "get", json!({"ID": "pay-1"})),
        of("Check", "get", json!({"Node": "ext", "CheckID": "alive"}))
    ]);
    assert_eq!(
        txn(&face, read).await.json()["Results"].as_array().unwrap()[..],
        results.as_array().unwrap()[..3]
    );

    let mut changed = service.clone();
    (changed["Port"], changed["ModifyIndex"]) = (444.into(), index.clone());
    assert_eq!(
        txn(&face, json!([of("Service", "cas", changed)])).await.json()["Results"][0]["Service"]["Port"],
        444
    );
    let gone = json!([
        of("Check", "delete-cas", json!({"Node": "ext", "CheckID": "alive", "ModifyIndex": index})),
        of("Service", "delete", json!({"ID": "pay-1"})),
        of("Node", "delete", json!({"Node": "ext"}))
    ]);
    assert_eq!(txn(&face, gone).await.json(), json!({"Results": [], "Errors": null}));
    assert_eq!(face.get("/v1/catalog/node/ext").await.text(), "null");
}

#[tokio::test]
async fn a_check_that_the_agent_makes_is_made_whatever_a_transaction_tells_of_it() {
    let face = Face::new().await;
    let check = json!({"Name": "port", "TTL": "10s"});
    assert_eq!(face.send("PUT /v1/agent/check/register", &[], check.to_string()).await.status, 200);
    let node = face.get("/v1/agent/checks").await.json()["port"]["Node"].clone();
    let told = json!({"Node": node, "CheckID": "port", "Name": "port", "Status": "passing"});
    let answer = txn(&face, json!([of("Check", "set", told)])).await;
    let told = &answer.json()["Results"][0]["Check"];
    assert_eq!((&told["Status"], &told["Type"]), (&json!("passing"), &json!("ttl")), "{}", answer.text());
}

#[tokio::test]
async fn a_transaction_on_what_is_registered_fails_as_a_whole_and_says_where() {
    let face = Face::new().await;
    let node = json!({"Node": "ext", "Address": "10.1.2.3"});
    let set = of("Node", "set", node.clone());
    let stale = "failed to set node \"ext\", index is stale";
    for (operation, what) in [
        (of("Node", "cas", json!({"Node": "ext", "Address": "10.1.2.4", "ModifyIndex": 7})), stale),
        (of("Node", "set", json!({"Node": "ext"})), "Must provide address if SkipNodeUpdate is not set"),
        (of("Node", "odd", node), "unknown Node verb \"odd\""),
        (of("Service", "get", json!({"ID": "x"})), "service \"x\" on node \"ext\" doesn't exist"),
        (of("Service", "set", json!({"Port": 80})), "Must provide service name with ID"),
        (of("Check", "set", json!({"Name": "a"})), "Must provide node"),
        (
            of("Check", "set", json!({"Node": "ext", "Name": "a", "ServiceID": "x"})),
            "Missing service registration",
        ),
    ] {
        let answer = txn(&face, json!([set, operation])).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (409, conflict(&[(1, what)])), "{operation}");
    }
    assert_eq!(face.get("/v1/catalog/node/ext").await.text(), "null");
    let below = of("Node", "cas", json!({"Node": "ext", "Address": "10.1.2.3", "ModifyIndex": -1}));
    for malformed in [json!({"Node": {"Verb": "set", "Node": 7}}), below] {
        assert_eq!(txn(&face, json!([malformed])).await.status, 400, "{malformed}");
        assert_eq!(face.get("/v1/catalog/node/ext").await.text(), "null");
    }
}

async fn fire(face: &Face, path: &str) -> Answer {
    face.send(&format!("PUT /v1/event/fire/{path}"), &[], "payload").await
}

#[tokio::test]
async fn an_event_is_told_to_those_who_wait_for_it() {
    let face = Face::new().await;
    face.deploy("web").await;
    let empty = face.get("/v1/event/list").await;
    assert_eq!((empty.json(), empty.index()), (json!([]), 1));
    let mut waits = Box::pin(face.get("/v1/event/list?name=deploy&index=1&wait=60s"));
    assert!(still_waits(&mut waits).await);
    fire(&face, "other").await;
    assert!(still_waits(&mut waits).await);
    let mut fired = fire(&face, "deploy?service=we").await.json();
    let id = fired["ID"].clone();
    let expect = json!({"ID": id, "Name": "deploy", "Payload": "cGF5bG9hZA==", "NodeFilter": "",
        "ServiceFilter": "we", "TagFilter": "", "Version": 1, "LTime": 0});
    assert_eq!(fired, expect);
    fired["LTime"] = 2.into();
    let woken = soon(waits).await;
    assert_eq!(woken.json(), json!([fired]));
    assert!(woken.index() > 1);
    assert_eq!(face.get("/v1/event/list").await.json().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_event_for_what_a_client_has_registered_is_kept() {
    let face = Face::new().await;
    let body = json!({"Name": "db", "Tags": ["v2"]}).to_string();
    assert_eq!(face.send("PUT /v1/agent/service/register", &[], body).await.status, 200);
    let mut kept = Vec::new();
    for path in ["a?service=^db$", "b?service=db&tag=v1", "c?service=db&tag=v2", "d?service=web"] {
        fire(&face, path).await;
        kept = face.get("/v1/event/list").await.json().as_array().unwrap().clone();
    }
    let names: Vec<&Value> = kept.iter().map(|event| &event["Name"]).collect();
    assert_eq!(names, ["a", "c"]);
}

#[tokio::test]
async fn an_event_for_others_is_not_kept_and_the_list_has_an_end() {
    let face = Face::new().await;
    face.deploy("web").await;
    for path in ["a?node=^other$", "a?service=db", "a?service=web&tag=v7"] {
        assert_eq!(fire(&face, path).await.status, 200);
    }
    assert_eq!(face.get("/v1/event/list").await.json(), json!([]));
    for number in 0..260 {
        fire(&face, &format!("e{number}?node=node1&service=web&tag=v1")).await;
    }
    let events = face.get("/v1/event/list").await.json();
    assert_eq!((events.as_array().unwrap().len(), &events[0]["Name"]), (256, &json!("e4")));
    for (path, status, text) in
        [("", 400, "Missing name"), ("a?tag=x", 500, "Cannot provide tag filter without service filter")]
    {
        let answer = fire(&face, path).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (status, text));
    }
    assert_eq!(fire(&face, "a?node=(").await.status, 500);
    let large = face.send("PUT /v1/event/fire/a", &[], Body::from(vec![b'x'; 5000])).await;
    assert_eq!(large.status, 413);
}
