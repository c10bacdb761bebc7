//! Maintenance: out of routing with what is in flight finished, and back.

use std::time::Duration;

use adsum_tests::{Agent, until, until_ok};
use serde_json::{Value, json};

use crate::gateway::{SOON, create, get, get_beside, until_noted, until_served};
use crate::web;

fn first(agent: &Agent) -> Value {
    web::service(agent, "shop")["instances"][0].clone()
}

#[test]
fn a_request_in_flight_is_finished_and_no_new_one_comes() {
    let agent = Agent::start();
    let folder = create(&agent, "shop", &["--route", "Host(shop.local)"]);
    until_served(&agent, "shop.local");
    let pid = first(&agent)["pid"].clone();
    let slow = get_beside(&agent, "shop.local", "/until/told");
    until_noted(&folder, "request GET /until/told");

    let on = agent.adsum_running(&["maint", "on", "shop", "--reason", "new disk"]);
    until_ok("it says what it waits for", SOON, || {
        let said = on.stderr();
        if said.contains("has 1 request in flight") { Ok(()) } else { Err(said) }
    });
    assert!(!slow.is_finished(), "it is in flight still");
    std::fs::write(folder.join("told"), "").unwrap();
    assert_eq!(on.finish(SOON).ok(), "shop is in maintenance");
    assert!(slow.is_finished() || first(&agent)["held_by"] == json!([]));
    assert_eq!(slow.join().unwrap().unwrap().status, 200);
    let refused = get(&agent, "shop.local", "/").unwrap();
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(adsum_tests::backend::Entries::of_folder(&folder).count("terminated"), 0);

    agent.adsum(&["maint", "off", "shop"]).ok();
    until_served(&agent, "shop.local");
    assert_eq!(first(&agent)["pid"], pid, "its process has stayed");
}

#[test]
fn one_instance_is_out_while_the_others_serve_and_one_that_is_sick_does_not_come_back() {
    let agent = Agent::start();
    let check = ["--health-http", "/healthz", "--health-interval", "100ms", "--replicas", "2"];
    web::create(&agent, "web", &check);
    let of_slot = |slot: u32| {
        let service = web::service(&agent, "web");
        let instances = service["instances"].as_array().unwrap().clone();
        instances.into_iter().find(|it| it["slot"] == slot && it["phase"] == "running").unwrap()
    };
    let id = of_slot(2)["id"].as_str().unwrap().to_string();
    let on = agent.adsum(&["maint", "on", "web.2"]).ok();
    assert_eq!(on, format!("web.2 ({id}) is in maintenance"));
    assert_eq!(of_slot(2)["health"], "maintenance");
    assert_eq!(agent.adsum(&["service", "usable", "web"]).ok(), "web is usable");
    agent.adsum(&["maint", "off", &id]).ok();
    until("it passes", SOON, || (of_slot(2)["health"] == "passing").then_some(()));
    let error = agent.adsum(&["maint", "on", "nobody"]).fails(1);
    assert!(error.contains("no service and no instance 'nobody'"), "{error}");
}

#[test]
fn an_instance_that_comes_later_is_in_maintenance_like_its_service() {
    let agent = Agent::start();
    web::create(&agent, "web", &[]);
    agent.adsum(&["maint", "on", "web"]).ok();
    agent.adsum(&["service", "scale", "web=2", "--detach"]).ok();
    until_ok("both are in maintenance", Duration::from_secs(20), || {
        let service = web::service(&agent, "web");
        let healths: Vec<Value> =
            service["instances"].as_array().unwrap().iter().map(|it| it["health"].clone()).collect();
        if healths == [json!("maintenance"), json!("maintenance")] {
            Ok(())
        } else {
            Err(format!("{healths:?}"))
        }
    });
    agent.adsum(&["maint", "off", "web"]).ok();
    until("both pass", SOON, || {
        (web::json(&agent, "/api/services/web/usable")["instances"]["passing"] == 2).then_some(())
    });
}
