//! Nodes: emptied and filled again.

use adsum_tests::{Agent, until};

use crate::gateway::SOON;
use crate::web;

#[test]
fn the_only_node_is_emptied_by_force_and_filled_again() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2"]);
    let listed = agent.adsum(&["node", "ls"]).ok();
    let row: Vec<&str> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..6], ["one", "127.0.0.1", "active", "2", "2", "process"]);
    let isolation = match web::json(&agent, "/api/status")["keeper"]["tree"].as_str() {
        Some("cgroup2") => ["cgroup", "v2"].as_slice(),
        Some("cgroup1") => &["cgroup", "v1"],
        _ => &["none"],
    };
    assert!(row[6..].starts_with(isolation), "{listed}");

    let error = agent.adsum(&["node", "drain", "one"]).fails(4);
    assert!(error.contains("1 service would have no instance any more"), "{error}");
    assert!(error.contains("answered 503 until 'node activate one' brings as many back"), "{error}");
    assert_eq!(agent.instances_of("web").len(), 2);
    assert!(agent.adsum(&["node", "drain", "two"]).fails(4).contains("there is no node 'two'"));

    let drained = agent.adsum(&["node", "drain", "one", "--force"]);
    assert!(drained.stderr.contains("'adsum node activate one' lets them come again"), "{drained:?}");
    drained.ok();
    assert_eq!(agent.instances_of("web"), []);
    assert!(agent.adsum(&["node", "ls"]).ok().contains("drain"));
    let why = agent.adsum(&["service", "why", "web"]).ok();
    let expect =
        "web gets no requests: every node is drained, so it has no instance ('adsum node activate one')";
    assert!(why.starts_with(expect), "{why}");

    agent.adsum(&["node", "activate", "one"]).ok();
    until("they are back", SOON, || (agent.instances_of("web").len() == 2).then_some(()));
}
