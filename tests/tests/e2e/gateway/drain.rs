//! What an instance may finish before it ends.

use std::time::{Duration, Instant};

use adsum_tests::backend::Entries;
use adsum_tests::load::{Load, Plan, get as shot, post};
use adsum_tests::{Agent, until, until_ok};

use super::{SOON, create, events, get_beside, until_noted, until_served};
use crate::web;

/// Replaces the service's instances by ones that run the same.
fn update(agent: &Agent, service: &str) {
    agent.adsum(&["service", "update", service, "--env-add", "ROUND=2", "--timeout", "40s"]).ok();
}

#[test]
fn an_instance_ends_only_when_what_it_has_in_flight_has_ended() {
    let agent = Agent::start();
    let folder = create(&agent, "shop", &["--route", "Host(shop.local)"]);
    until_served(&agent, "shop.local");
    let slow = get_beside(&agent, "shop.local", "/until/asked");
    until_noted(&folder, "request GET /until/asked");
    agent.adsum(&["service", "scale", "shop=0", "--detach"]).ok();
    let why = until_ok("it is told who holds it up", SOON, || {
        let why = agent.adsum(&["service", "why", "shop"]).ok();
        if why.contains("has 1 request in flight") { Ok(why) } else { Err(why) }
    });
    assert!(why.contains("waiting on: slot 1") && why.contains("nothing is in flight"), "{why}");
    assert!(why.contains("is leaving and gets nothing new: gateway on node one"), "{why}");
    assert!(!slow.is_finished(), "the request was still in flight while that was asked");
    std::fs::write(folder.join("asked"), "").unwrap();
    assert_eq!(slow.join().unwrap().unwrap().status, 200);
    until_noted(&folder, "terminated");
    let entries: Vec<String> = Entries::of_folder(&folder).iter().map(str::to_string).collect();
    let at = |event: &str| entries.iter().position(|entry| entry.starts_with(event)).unwrap();
    assert!(at("done GET /until/asked") < at("terminated"), "{entries:?}");
}

#[test]
fn a_request_that_does_not_end_holds_its_instance_for_the_drain_time_out_only() {
    let agent = Agent::start();
    let folder = create(&agent, "shop", &["--route", "Host(shop.local)", "--drain-timeout", "1s"]);
    until_served(&agent, "shop.local");
    let hanging = get_beside(&agent, "shop.local", "/hang");
    until_noted(&folder, "request GET /hang");
    let begun = Instant::now();
    agent.adsum(&["service", "scale", "shop=0", "--detach"]).ok();
    until_noted(&folder, "terminated");
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(1), "it had its second: {took:?}");
    assert!(took < Duration::from_secs(15), "and not for ever: {took:?}");
    let answer = hanging.join().unwrap().unwrap();
    assert!(answer.status == 502 || answer.status == 503, "{answer:?}");
}

#[test]
fn an_update_under_load_fails_nothing_and_doubles_nothing() {
    let agent = Agent::start();
    let folder = create(&agent, "shop", &["--route", "Host(shop.local)", "--replicas", "2"]);
    until_served(&agent, "shop.local");
    let plan = Plan::new(agent.gateway(), "shop.local", 100).mix([shot("/"), post("/order", 200)]);
    let load = Load::start(plan);
    load.go_on_for(50);
    update(&agent, "shop");
    let report = load.stop_after(50);
    assert_eq!(report.failures(), Vec::<&adsum_tests::load::Record>::new(), "{report}");
    assert!(report.posts_in(&Entries::of_folder(&folder)).is_ok(), "{report}");
}

#[test]
fn requests_for_an_exclusive_service_wait_while_its_instance_is_replaced() {
    let agent = Agent::start();
    let folder = create(&agent, "db", &["--route", "Host(db.local)", "--exclusive"]);
    until_served(&agent, "db.local");
    let first = web::service(&agent, "db")["instances"][0]["id"].clone();
    let load = Load::start(Plan::new(agent.gateway(), "db.local", 50).mix([shot("/"), post("/row", 10)]));
    load.go_on_for(20);
    update(&agent, "db");
    let report = load.stop_after(20);
    assert_eq!(report.failures(), Vec::<&adsum_tests::load::Record>::new(), "{report}");
    assert!(report.posts_in(&Entries::of_folder(&folder)).is_ok(), "{report}");
    let instances = web::service(&agent, "db")["instances"].clone();
    let now = instances.as_array().unwrap().iter().find(|instance| instance["health"] == "passing");
    assert_ne!(now.unwrap()["id"], first, "it was replaced");
    assert_eq!(Entries::by_process(&folder).len(), 2);
}

#[test]
fn with_nobody_who_passes_those_who_once_did_are_asked_and_it_is_seen() {
    let agent = Agent::start();
    let well = agent.scratch().file("well");
    std::fs::write(&well, "").unwrap();
    // A code of 1 would only be a warning.
    let check = format!("test -e {well} || exit 2");
    let flags = ["--route", "Host(shop.local)", "--health-cmd", &check, "--health-interval", "100ms"];
    create(&agent, "shop", &[&flags[..], &["--health-retries", "1"]].concat());
    until_served(&agent, "shop.local");
    std::fs::remove_file(&well).unwrap();
    until("it is critical", SOON, || {
        (web::service(&agent, "shop")["instances"][0]["health"] == "critical").then_some(())
    });
    until("the gateway says so", SOON, || {
        agent.adsum(&["gateway", "status"]).ok().contains("shop: too few instances pass").then_some(())
    });
    until_served(&agent, "shop.local");
    let why = agent.adsum(&["service", "why", "shop"]).ok();
    assert!(why.contains("enough instances pass") && why.contains("stands in for them"), "{why}");
    until("it is in the event log", SOON, || {
        events(&agent, "shop").contains(&"pool-panic".to_string()).then_some(())
    });
}
