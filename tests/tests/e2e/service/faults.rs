//! What is in the way of an instance is said, and nothing else suffers from it.

use std::net::TcpListener;

use super::*;

/// The port that the next instance of an empty agent is given: they are given in order.
fn listen_on_all_but(agent: &Agent, free: u16) -> Vec<TcpListener> {
    let ports = agent.instance_ports().filter(|port| *port != free);
    ports.filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()).collect()
}

#[test]
fn an_instance_does_not_pass_because_somebody_else_listens_on_its_port() {
    let agent = Agent::start();
    // It lives and does not listen; we do, in its place.
    web::try_create(&agent, "web", &["--env", "WEB_LISTEN=no", "--detach"]).ok();
    let process = until("it runs", SOON, || agent.instances_of("web").pop());
    let port: u16 = process.env("PORT").unwrap().parse().unwrap();
    let _foreign = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let why = || agent.adsum(&["service", "why", "web"]).ok();
    let text = until("it says so", SOON, || {
        Some(why()).filter(|text| text.contains("does not belong to this instance"))
    });
    assert!(text.contains(&port.to_string()), "{text}");
    assert_eq!(passing(&agent, "web"), Vec::<String>::new());
}

#[test]
fn a_port_that_somebody_has_is_given_to_no_instance() {
    let agent = Agent::start();
    let free = *agent.instance_ports().end() - 5;
    let foreign = listen_on_all_but(&agent, free);
    assert!(!foreign.is_empty());
    web::create(&agent, "web", &[]);
    assert_eq!(live(&agent, "web", "port"), [json!(free)]);
}

#[test]
fn a_missing_program_is_named() {
    let agent = Agent::start();
    let create = ["service", "create", "--name", "web", "--timeout", "3s", "--", "/no/such/program"];
    let error = agent.adsum(&create).fails(1);
    assert!(error.contains("/no/such/program") && error.contains("does not exist"), "{error}");
    let ps = agent.adsum(&["service", "ps", "web"]).ok();
    assert!(ps.contains("/no/such/program"), "{ps}");
    agent.adsum(&["service", "rm", "web"]).ok();
}
