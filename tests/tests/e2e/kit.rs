//! The kit itself, as the other tests use it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use adsum_tests::redis::Redis;
use adsum_tests::{Agent, Scratch, processes, require, until};

/// A stand-in for the binary: it starts a keeper, which starts an instance that has a child, as the real one does,
/// and answers nothing.
const STAND_IN: &str = r#"#!/bin/sh
echo "begun with $*"
case "$1" in
agent) "$0" keeper "$3" & ;;
keeper) ADSUM_INSTANCE=web-1 ADSUM_SERVICE=web sh -c 'sleep 600; true' & ;;
esac
wait
"#;

fn stand_in(scratch: &Scratch) -> PathBuf {
    let path = scratch.path().join("adsum");
    // Written by a child: a file that this process has open for writing cannot be executed ("text file busy")
    // when another test's thread forks at the wrong moment.
    let output = adsum_tests::running::run(
        std::process::Command::new("tee").arg(&path),
        STAND_IN.as_bytes(),
        Duration::from_secs(10),
    );
    output.ok();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_dropped_agent_leaves_no_keeper_and_no_instance() {
    let scratch = Scratch::new();
    let agent = Agent::builder().program(&stand_in(&scratch)).spawn();
    let instances = until("the instance and its child run", Duration::from_secs(10), || {
        let all = processes::under(agent.scratch().path());
        all.iter().any(|process| process.args == ["sleep", "600"]).then(|| agent.instances())
    });
    assert_eq!(instances.len(), 1, "{instances:?}");
    assert_eq!(agent.instances_of("web"), instances);
    assert!(agent.keeper().is_some());
    let path = agent.scratch().path().to_path_buf();
    drop(agent);
    assert_eq!(processes::under(&path), []);
    assert!(!path.exists());
}

#[test]
fn a_killed_agent_leaves_keeper_and_instance_and_a_killed_keeper_leaves_the_instance() {
    let scratch = Scratch::new();
    let mut agent = Agent::builder().program(&stand_in(&scratch)).spawn();
    until("the instance runs", Duration::from_secs(10), || (agent.instances().len() == 1).then_some(()));
    agent.kill9();
    assert!(agent.keeper().is_some());
    agent.kill9_keeper();
    assert!(agent.keeper().is_none());
    assert_eq!(agent.instances().len(), 1);
}

#[test]
fn an_agent_is_started_with_its_own_directory_node_and_addresses() {
    let scratch = Scratch::new();
    let agent = Agent::builder().program(&stand_in(&scratch)).node("two").arg("--dev").spawn();
    let line = until("the agent has begun", Duration::from_secs(10), || {
        agent.log().lines().find(|line| line.starts_with("begun with agent")).map(str::to_string)
    });
    let expect = format!(
        "begun with agent --data-dir {} --node two --durability always --resp-addr {} --http-addr {} --dns-addr {} \
         --gateway-addr {} --port-range {}-{} --dev",
        agent.data_dir().display(),
        agent.resp(),
        agent.http(),
        agent.dns(),
        agent.gateway(),
        agent.instance_ports().start(),
        agent.instance_ports().end(),
    );
    assert_eq!(line, expect);
}

#[test]
fn the_command_line_is_told_where_the_agent_is() {
    let scratch = Scratch::new();
    let agent = Agent::builder().program(&stand_in(&scratch)).spawn();
    assert_eq!(agent.adsum(&["service", "ls"]).ok(), "begun with service ls");
    let command = agent.adsum_command(&[]);
    let address = command.get_envs().find(|(key, _)| *key == "ADSUM_HTTP_ADDR").unwrap().1.unwrap();
    assert_eq!(address.to_str().unwrap(), agent.http().to_string());
}

#[test]
fn a_real_redis_stands_beside_us() {
    if !require("redis-server") || !require("redis-cli") {
        return;
    }
    let redis = Redis::start(&[]);
    assert_eq!(redis.cli(&["SET", "a", "1"]).ok(), "OK");
    assert_eq!(redis.cli(&["GET", "a"]).ok(), "1");
}
