//! The service under test (`tests/src/bin/web.rs`), deployed by the command line.

use std::net::SocketAddr;

use adsum_tests::{Agent, Output, processes};
use serde_json::Value;

/// The program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_web");

/// Creates a service of it with these flags, and waits until it has converged. Its instances are not watched for longer
/// than until they pass.
#[track_caller]
pub(crate) fn create(agent: &Agent, name: &str, flags: &[&str]) {
    try_create(agent, name, flags).ok();
}

#[track_caller]
pub(crate) fn try_create(agent: &Agent, name: &str, flags: &[&str]) -> Output {
    let words = ["service", "create", "--name", name];
    let rest = ["--update-monitor", "0s", "--wait-timeout", "30s", "--", PROGRAM];
    agent.adsum(&[&words[..], flags, &rest].concat())
}

/// The JSON of a path on the HTTP face.
#[track_caller]
pub(crate) fn json(agent: &Agent, path: &str) -> Value {
    let body = agent.get(path).ok();
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("GET {path}: {error}: {body}"))
}

/// The service as the agent sees it.
#[track_caller]
pub(crate) fn service(agent: &Agent, name: &str) -> Value {
    json(agent, &format!("/api/services/{name}"))
}

/// Where an instance listens.
#[track_caller]
pub(crate) fn address(instance: &Value) -> SocketAddr {
    let text = format!("{}:{}", instance["address"].as_str().unwrap(), instance["port"]);
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// After an agent that takes everything along.
#[track_caller]
pub(crate) fn nothing_runs(agent: &Agent) {
    let left = processes::under(agent.scratch().path());
    assert!(left.is_empty(), "left behind: {left:?}");
}
