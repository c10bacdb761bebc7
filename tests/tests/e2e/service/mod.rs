//! Services: from the command line to processes, and what is found of them.

mod crash;
mod discovery;
mod faults;
mod limits;
mod restart;
mod rollout;
mod stopping;
mod survival;
mod update;
mod why;

use std::time::Duration;

use adsum_tests::{Agent, require, until};
use serde_json::{Value, json};

use crate::web;

const SOON: Duration = Duration::from_secs(20);

/// How many instances of a service are found by name and get traffic, and their ids.
fn passing(agent: &Agent, service: &str) -> Vec<String> {
    let entries = web::json(agent, &format!("/v1/health/service/{service}?passing"));
    let entries = entries.as_array().expect("it is a list").iter();
    entries.map(|entry| entry["Service"]["ID"].as_str().expect("it has an id").to_string()).collect()
}

/// One field of every instance of a service that is not over.
fn live(agent: &Agent, service: &str, field: &str) -> Vec<Value> {
    let service = web::service(agent, service);
    let instances = service["instances"].as_array().expect("it is a list").iter();
    let live = instances.filter(|it| it["phase"] != "stopped" && it["phase"] != "failed");
    live.map(|instance| instance[field].clone()).collect()
}

#[test]
fn a_service_is_created_listed_scaled_and_removed() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2", "--health-http", "/healthz"]);
    let list: Value =
        serde_json::from_str(&agent.adsum(&["service", "ls", "--format", "json"]).ok()).unwrap();
    let seen = ["name", "replicas", "passing", "version", "converged"].map(|field| list[0][field].clone());
    assert_eq!(seen, [json!("web"), json!(2), json!(2), json!(1), json!(true)]);
    assert!(agent.adsum(&["service", "ls"]).ok().contains("2/2"));

    agent.adsum(&["service", "scale", "web=4"]).ok();
    assert_eq!((agent.instances_of("web").len(), passing(&agent, "web").len()), (4, 4));
    agent.adsum(&["service", "scale", "web=1"]).ok();
    assert_eq!((agent.instances_of("web").len(), passing(&agent, "web").len()), (1, 1));

    agent.adsum(&["service", "rm", "web"]).ok();
    assert_eq!(agent.instances(), []);
    assert_eq!(agent.adsum(&["service", "ls", "--quiet"]).ok(), "");
    let error = agent.adsum(&["service", "ps", "web"]).fails(1);
    assert!(error.contains("there is no service 'web'"), "{error}");
}

#[test]
fn a_service_that_exists_is_not_created_again() {
    let agent = Agent::start();
    web::create(&agent, "web", &[]);
    let error = web::try_create(&agent, "web", &["--replicas", "3"]).fails(4);
    assert!(error.contains("service 'web' exists already") && error.contains("--if-absent"), "{error}");
    web::create(&agent, "web", &["--replicas", "3", "--if-absent"]);
    assert_eq!(agent.instances_of("web").len(), 1);
}

#[test]
fn services_are_scaled_together_or_not_at_all() {
    let agent = Agent::start();
    web::create(&agent, "web", &[]);
    let error = agent.adsum(&["service", "scale", "web=2", "nobody=2"]).fails(4);
    assert!(error.contains("nobody"), "{error}");
    assert_eq!(web::service(&agent, "web")["spec"]["replicas"], 1);
}

#[test]
fn what_instances_write_is_in_their_logs() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--env", "VERSION=seven"]);
    let port = agent.instances_of("web")[0].env("PORT").unwrap().to_string();
    let logs = || agent.adsum(&["service", "logs", "web"]).ok();
    let text = until("all is written", SOON, || Some(logs()).filter(|text| text.contains("listening")));
    assert!(text.contains("version seven begins") && text.contains(&port), "{text}");
    let last = agent.adsum(&["service", "logs", "--tail", "1", "web"]).ok();
    assert!(last.contains("listening on") && last.lines().count() == 1, "{last}");
}

#[test]
fn a_log_is_followed_while_it_is_written() {
    let agent = Agent::start();
    web::create(&agent, "web", &[]);
    let follower = agent.adsum_running(&["service", "logs", "--follow", "web"]);
    follower.line_with("listening on", SOON);
    let address = web::address(&web::service(&agent, "web")["instances"][0]);
    // It ends instead of answering.
    adsum_tests::http::get(address, "/exit/0").unwrap_err();
    follower.line_with("told to end", SOON);
}

#[test]
fn what_has_happened_is_in_the_events_in_order() {
    let agent = Agent::start();
    web::create(&agent, "web", &[]);
    agent.adsum(&["service", "rm", "web"]).ok();
    let events = web::json(&agent, "/api/events?service=web");
    let kinds: Vec<&str> = events.as_array().unwrap().iter().filter_map(|it| it["kind"].as_str()).collect();
    let begin = kinds.iter().position(|kind| *kind == "instance-planned").unwrap();
    let expect = ["instance-planned", "instance-started", "instance-passing"];
    assert_eq!(kinds[begin..begin + 3], expect, "{kinds:?}");
    assert_eq!(kinds.last(), Some(&"service-gone"), "{kinds:?}");
    let lines = agent.adsum(&["events"]).ok();
    assert!(expect.iter().all(|kind| lines.contains(kind)), "{lines}");
}

/// A delivery pipeline that got no answer asks again.
#[test]
fn a_repeated_request_with_the_same_token_changes_nothing() {
    if !require("curl") {
        return;
    }
    let agent = Agent::start();
    let put = |replicas: u32| {
        let body = json!({"command": [web::PROGRAM], "replicas": replicas}).to_string();
        let headers = ["-H", "Content-Type: application/json", "-H", "Idempotency-Key: deploy-17"];
        let request = ["-i", "-X", "PUT", "-d", &body, "/api/services/web"];
        agent.curl(&[&headers[..], &request].concat()).ok().to_lowercase()
    };
    let (first, again) = (put(2), put(2));
    assert!(first.starts_with("http/1.1 201") && !first.contains("idempotent-replayed"), "{first}");
    assert!(again.starts_with("http/1.1 201") && again.contains("idempotent-replayed: true"), "{again}");
    assert_eq!(first.lines().last(), again.lines().last());
    let other = put(3);
    assert!(other.starts_with("http/1.1 422") && other.contains("deploy-17"), "{other}");
    assert_eq!(web::service(&agent, "web")["spec"]["replicas"], 2);
}
