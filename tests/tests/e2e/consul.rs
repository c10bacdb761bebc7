//! Consul's clients on the real thing: services and checks that they register, in health answers, in DNS, over a crash.

use std::process::Command;

use adsum_tests::{Agent, Docker, Running, require, until};
use serde_json::{Value, json};

use crate::gateway::SOON;

fn put(agent: &Agent, path: &str, body: &Value) {
    let body = body.to_string();
    let answer = agent.curl(&["-sS", "-w", "%{http_code}", "-X", "PUT", "-d", &body, path]);
    assert_eq!(answer.ok().trim(), "200", "{path}");
}

fn get(agent: &Agent, path: &str) -> Value {
    serde_json::from_str(&agent.get(path).ok()).unwrap()
}

fn passing(agent: &Agent, name: &str) -> usize {
    get(agent, &format!("/v1/health/service/{name}?passing")).as_array().unwrap().len()
}

fn until_passing(agent: &Agent, name: &str, count: usize) {
    let what = format!("{count} of {name} pass");
    until(&what, SOON, || (passing(agent, name) == count).then_some(()));
}

#[test]
fn what_curl_registers_is_checked_and_found_by_http_and_dns_and_survives_a_crash() {
    if !require("curl") || !require("dig") {
        return;
    }
    let mut agent = Agent::start();
    let port = agent.http().port();
    let url = format!("http://{}/v1/status/leader", agent.http());
    put(
        &agent,
        "/v1/agent/service/register",
        &json!({"ID": "web-1", "Name": "web", "Tags": ["v1"],
        "Address": "127.0.0.1", "Port": port, "Weights": {"Passing": 10, "Warning": 1},
        "Checks": [{"HTTP": url, "Interval": "200ms"}, {"TTL": "1h", "Status": "passing"}]}),
    );
    until_passing(&agent, "web", 1);
    let srv = ["+short", "web.service.consul", "SRV"];
    assert_eq!(agent.dig(&srv).ok().trim(), format!("1 10 {port} 7f000001.addr.dc1.consul."));

    agent.kill9();
    agent.restart();
    until_passing(&agent, "web", 1);
    put(&agent, "/v1/agent/check/fail/service:web-1:2?note=broken", &json!({}));
    assert_eq!(passing(&agent, "web"), 0);
    until("DNS has nothing", SOON, || agent.dig(&srv).ok().trim().is_empty().then_some(()));
    put(&agent, "/v1/agent/check/pass/service:web-1:2", &json!({}));
    until_passing(&agent, "web", 1);

    put(&agent, "/v1/agent/service/maintenance/web-1?enable=true&reason=upgrade", &json!({}));
    assert_eq!(passing(&agent, "web"), 0);
    let checks = get(&agent, "/v1/agent/checks");
    assert_eq!(checks["_service_maintenance:web-1"]["Notes"], "upgrade");
    put(&agent, "/v1/agent/service/deregister/web-1", &json!({}));
    assert_eq!(get(&agent, "/v1/agent/services"), json!({}));
    assert_eq!(get(&agent, "/v1/agent/checks"), json!({}));
}

/// curl, reading what does not end by itself.
fn follow(agent: &Agent, path: &str) -> Running {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-N", "-H", "Accept: text/event-stream"]).arg(format!("http://{}{path}", agent.http()));
    Running::start(&mut curl)
}

#[test]
fn a_stream_tells_each_change_and_ends_with_the_agent() {
    if !require("curl") {
        return;
    }
    let mut agent = Agent::start();
    let key = follow(&agent, "/v1/kv/a");
    let monitor = follow(&agent, "/v1/agent/monitor?loglevel=debug&logjson");
    key.line_with("data: null", SOON);
    assert_eq!(agent.send("PUT", "/v1/kv/a", "v").ok(), "true");
    let told = key.line_with("dg==", SOON);
    let told: Value = serde_json::from_str(told.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(told, get(&agent, "/v1/kv/a"));
    // Nobody listens at port 1.
    agent.adsum(&["kv", "switch", "silent", "--webhook", "http://127.0.0.1:1/"]).ok();
    agent.send("PUT", "/v1/kv/silent?ttl=1s", "x").ok();
    let line = monitor.line_with("a webhook is tried again", SOON);
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["@level"], &line["url"]), (&json!("debug"), &json!("http://127.0.0.1:1/")));
    agent.terminate();
    assert_eq!(key.finish(SOON).code, Some(0));
    assert_eq!(monitor.finish(SOON).code, Some(0));
}

#[test]
fn a_script_is_started_for_clients_only_by_an_agent_that_was_told_so() {
    let check =
        json!({"Name": "mem", "Args": ["sh", "-c", "echo so so; exit 1"], "Interval": "1h"}).to_string();
    let refusing = Agent::start();
    let refused = refusing.send("PUT", "/v1/agent/check/register", &check);
    assert_eq!(refused.status, 500, "{refused:?}");
    drop(refusing);
    let agent = Agent::builder().arg("--enable-script-checks").start();
    agent.send("PUT", "/v1/agent/check/register", &check).ok();
    let output = until("the script has run", SOON, || {
        let check = get(&agent, "/v1/agent/checks")["mem"].take();
        (check["Status"] == "warning").then(|| check["Output"].as_str().unwrap().trim().to_string())
    });
    assert_eq!(output, "so so");
}

/// What `docker exec` in a container finds: where the daemon is comes from the agent's own environment.
#[test]
fn a_check_inside_of_a_container_says_what_it_found_there_and_that_the_container_has_gone() {
    if !require("dockerd") || !require("busybox") || !require("curl") {
        return;
    }
    let Some(docker) = Docker::start() else { return };
    docker.container("shop");
    let agent = Agent::builder().arg("--enable-script-checks").env("DOCKER_HOST", &docker.host()).start();
    let script = "test -e /tmp/well && echo well && exit 0; echo not yet; exit 1";
    let check = json!({"Name": "inside", "DockerContainerID": "shop", "Shell": "/bin/sh", "Args": [script],
        "Interval": "200ms", "Timeout": "30s"});
    put(&agent, "/v1/agent/check/register", &check);
    let found = |status: &str, words: &str| {
        until(&format!("the check is {status}: {words}"), SOON, || {
            let check = get(&agent, "/v1/agent/checks")["inside"].take();
            let told = check["Status"] == status && check["Output"].as_str()?.contains(words);
            told.then_some(())
        });
    };
    found("warning", "not yet");
    docker.client(&["exec", "shop", "mkdir", "-p", "/tmp/well"]).ok();
    found("passing", "well");
    docker.client(&["kill", "shop"]).ok();
    found("critical", "not running");
}
