//! Routing goes on where the agent left it.

use adsum_tests::{Agent, http, until};
use nix::sys::signal::Signal;

use super::{SOON, create, get, get_beside, until_noted, until_served};

/// Enough that reading it takes longer than the test needs to see that it takes long.
const KEYS: usize = 150_000;

/// Waits until the table with the service is on disk.
fn until_kept(agent: &Agent, service: &str) {
    let file = agent.data_dir().join("gateway").join("table.json");
    until("the table is on disk", SOON, || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        (text.contains(service) && text.contains("routable")).then_some(())
    });
}

#[test]
fn requests_are_served_before_the_journal_is_read() {
    let mut agent = Agent::builder().durability("everysec").start();
    create(&agent, "shop", &["--route", "Host(shop.local)"]);
    until_served(&agent, "shop.local");
    let commands: String = (0..KEYS).map(|key| format!("SET key:{key} {key:0100}\n")).collect();
    agent.redis_cli_stdin(&[], commands.as_bytes()).ok();
    until_kept(&agent, "shop");
    agent.kill9();
    agent.begin();
    let served = until("the gateway answers", SOON, || get(&agent, "shop.local", "/bytes/3").ok());
    // A level of the agent at this moment: it has not got so far as to open its HTTP face.
    let http = http::get(agent.http(), "/v1/status/leader");
    assert_eq!((served.status, served.body.as_str()), (200, "abc"));
    assert!(http.is_err(), "the journal was read already: {http:?}");
    agent.wait_ready();
    until_served(&agent, "shop.local");
    until("the table is a fresh one", SOON, || {
        (crate::web::json(&agent, "/api/gateway")["table"]["fresh"] == true).then_some(())
    });
}

#[test]
fn an_agent_that_is_told_to_end_lets_requests_in_flight_end() {
    let mut agent = Agent::start();
    let folder = create(&agent, "shop", &["--route", "Host(shop.local)"]);
    until_served(&agent, "shop.local");
    let slow = get_beside(&agent, "shop.local", "/slow/1000");
    until_noted(&folder, "request GET /slow/1000");
    agent.signal(Signal::SIGTERM);
    assert_eq!(slow.join().unwrap().unwrap().status, 200);
    agent.wait_exit(SOON);
    agent.begin();
    agent.wait_ready();
    until_served(&agent, "shop.local");
}
