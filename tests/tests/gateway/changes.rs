//! Planned changes under constant load: not one request fails, and each POST is carried out once.

use adsum_tests::load::{Load, Plan, Protocol, get, post};
use adsum_tests::{http, rounds};

use adsum_tests::stage::{Stage, check_nothing_lost};

/// Requests that begin per second: a machine that builds something else at the same time can still do that.
const RATE: u32 = 200;

fn plan(stage: &Stage) -> Plan {
    stage.plan("web", RATE).mix([get("/bytes/2000"), post("/order", 300), get("/slow/150"), get("/")])
}

#[track_caller]
fn scale(stage: &Stage, count: u32) {
    stage.agent.adsum(&["service", "scale", &format!("web={count}")]).ok();
}

/// As many instances have been told to end as the test has taken away, all of which had been asked before.
#[track_caller]
fn check_ended(stage: &Stage, at_least: u32) {
    let ended = stage.entries().count("terminated");
    assert!(ended >= at_least as usize, "{ended} instances were told to end");
}

#[test]
fn scaling_up_and_down_fails_no_request() {
    let stage = Stage::new();
    stage.create("web", &["--replicas", "2"]);
    let load = Load::start(plan(&stage));
    let rounds = rounds(2, 50);
    for _ in 0..rounds {
        scale(&stage, 4);
        load.go_on_for(u64::from(RATE));
        scale(&stage, 1);
        load.go_on_for(u64::from(RATE) / 2);
    }
    check_nothing_lost(&load.stop(), &stage.entries());
    check_ended(&stage, 3 * rounds);
}

#[test]
fn rolling_updates_fail_no_request() {
    let stage = Stage::new();
    stage.create("web", &["--replicas", "3"]);
    let load = Load::start(plan(&stage));
    let rounds = rounds(2, 50);
    for round in 0..rounds {
        stage.agent.adsum(&["service", "update", "web", "--env-add", &format!("ROUND={round}")]).ok();
        load.go_on_for(u64::from(RATE) / 2);
    }
    check_nothing_lost(&load.stop(), &stage.entries());
    check_ended(&stage, 3 * rounds);
}

#[test]
fn rolling_updates_fail_no_request_over_http2_and_over_fresh_connections() {
    let stage = Stage::new();
    stage.create("web", &["--replicas", "2"]);
    let h2c = Load::start(plan(&stage).over(Protocol::H2c(2)).name("h2c"));
    let fresh = Load::start(plan(&stage).over(Protocol::Http1Fresh).name("fresh"));
    for round in 0..rounds(1, 50) {
        stage.agent.adsum(&["service", "update", "web", "--env-add", &format!("ROUND={round}")]).ok();
        h2c.go_on_for(u64::from(RATE) / 2);
    }
    let (h2c, fresh) = (h2c.stop(), fresh.stop());
    check_nothing_lost(&h2c, &stage.entries());
    check_nothing_lost(&fresh, &stage.entries());
    check_ended(&stage, 2);
}

/// The control: who goes past the gateway, to an instance that is taken away, does lose requests.
#[test]
fn a_client_that_goes_past_the_gateway_loses_requests() {
    let stage = Stage::new();
    stage.create("web", &["--replicas", "2", "--drain-timeout", "1s"]);
    let body = http::get(stage.agent.http(), "/v1/health/service/web?passing").unwrap().ok();
    let entries: serde_json::Value = serde_json::from_str(&body).unwrap();
    let ports = entries.as_array().unwrap().iter().map(|entry| entry["Service"]["Port"].as_u64().unwrap());
    let loads: Vec<Load> = ports
        .map(|port| {
            let address = (std::net::Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap()).into();
            Load::start(Plan::new(address, "web.local", 50).mix([get("/"), get("/slow/150")]))
        })
        .collect();
    assert_eq!(loads.len(), 2);
    loads[0].go_on_for(10);
    scale(&stage, 1);
    loads.iter().for_each(|load| load.go_on_for(50));
    let failed: usize = loads.into_iter().map(|load| load.stop().failures().len()).sum();
    assert!(failed > 0);
}
