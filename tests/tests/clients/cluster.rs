//! Clients that are set up for a cluster: against an agent that says it is one, and against Redis as a cluster of one.

use adsum_tests::libraries::Language::{self, JavaScript, Python};
use adsum_tests::port::Block;
use adsum_tests::redis::Redis;
use adsum_tests::{Agent, require, until};

use crate::{PATIENCE, run_at};

#[test]
fn redis_py_finds_its_cluster() {
    check(Python, "redis_py_cluster.py");
}

#[test]
fn ioredis_and_node_redis_find_their_cluster() {
    check(JavaScript, "clusters.cjs");
}

#[track_caller]
fn check(language: Language, name: &str) {
    let agent = Agent::builder().arg("--resp-cluster").start();
    let Some(told) = run_at(agent.resp(), language, name) else { return };
    println!("{told}");
    assert!(!told.is_empty(), "{name} did nothing");
    if require("redis-server") {
        let bus = Block::reserve();
        let port = bus.port(0).to_string();
        let options =
            ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", "--cluster-port", &port];
        let redis = Redis::start(&options);
        assert_eq!(redis.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).ok().trim(), "OK");
        let is_up = || redis.cli(&["CLUSTER", "INFO"]).ok().contains("cluster_state:ok").then_some(());
        until("the cluster is up", PATIENCE, is_up);
        assert_eq!(run_at(redis.address(), language, name), Some(told));
    }
}
