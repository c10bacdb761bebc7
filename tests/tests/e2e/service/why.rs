//! `service why`: the sentence that it begins with, for everything that keeps a service from its requests.

use super::*;

/// Waits until the first line of the answer has this in it.
#[track_caller]
fn until_said(agent: &Agent, expect: &str) -> String {
    let why = || agent.adsum(&["service", "why", "web"]).ok();
    adsum_tests::until_ok(&format!("'{expect}' is said"), SOON, || {
        let text = why();
        let first = text.lines().next().unwrap_or_default();
        if first.contains(expect) { Ok(text.clone()) } else { Err(text.clone()) }
    })
}

#[test]
fn a_service_that_is_well_and_has_no_route_is_said_to_be_found_by_name() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2"]);
    let text = until_said(&agent, "web gets requests: 2 of 2 wanted pass");
    assert!(text.contains("no route and no port leads to it"), "{text}");
    assert!(text.contains("its node takes instances") && text.contains("(revision "), "{text}");
    agent.adsum(&["service", "update", "web", "--route", "Host(web.local)"]).ok();
    let text = until_said(&agent, "web gets requests: 2 of 2 wanted pass");
    assert!(!text.contains("no route and no port") && text.contains("one of 2"), "{text}");
}

#[test]
fn an_instance_that_does_not_listen_is_said_to_be_starting() {
    let agent = Agent::start();
    web::try_create(&agent, "web", &["--env", "WEB_LISTEN=no", "--detach"]).ok();
    let starting = "web gets no requests: web.1 is starting: its check (tcp) has yet to pass (TCP connect";
    let text = until_said(&agent, starting);
    assert!(text.lines().next().unwrap().contains("refused"), "{text}");
}

#[test]
fn a_check_that_fails_is_said_with_what_it_found() {
    let agent = Agent::start();
    let check = ["--health-http", "/healthz", "--health-interval", "100ms", "--health-retries", "1"];
    web::create(&agent, "web", &check);
    let data = agent.instances_of("web")[0].env("ADSUM_DATA_DIR").unwrap().to_string();
    std::fs::write(std::path::Path::new(&data).join("sick"), "").unwrap();
    let text = until_said(&agent, "web.1");
    let first = text.lines().next().unwrap();
    assert!(first.contains("its check (http /healthz)") && first.contains("503"), "{text}");
}

#[test]
fn a_crash_loop_is_said_with_its_next_start() {
    let agent = Agent::start();
    let flags =
        ["--env", "WEB_EXIT=3", "--restart-delay", "1s", "--update-failure-action", "continue", "--detach"];
    web::try_create(&agent, "web", &flags).ok();
    let text = until_said(&agent, "web gets no requests: web.1 ended and is started again in ");
    assert!(text.contains("exited with code 3"), "{text}");
}

#[test]
fn a_service_in_maintenance_is_said_to_be_with_the_reason() {
    let agent = Agent::start();
    web::create(&agent, "web", &[]);
    agent.adsum(&["maint", "on", "web", "--reason", "new disk"]).ok();
    let text = until_said(&agent, "web is in maintenance and gets no requests (new disk)");
    assert!(
        text.contains("is in maintenance and gets nothing new (new disk): nothing is in flight on it"),
        "{text}"
    );
}
