//! What is wrong with routes and ports is seen, and harms nothing else.

use std::net::TcpListener;

use adsum_tests::{Agent, http, until, until_ok};

use super::{SOON, create, events, get, until_served};

#[test]
fn of_two_services_that_want_the_same_requests_the_older_has_them_and_both_see_it() {
    let agent = Agent::start();
    create(&agent, "old", &["--route", "Host(shop.local)"]);
    create(&agent, "new", &["--route", "Host(shop.local)"]);
    let first = until_served(&agent, "shop.local");
    let old = crate::web::service(&agent, "old")["instances"][0]["id"].as_str().unwrap().to_string();
    assert_eq!(first.header("x-served-by"), Some(old.as_str()));
    let routes = until_ok("the conflict is listed", SOON, || {
        let routes = agent.adsum(&["gateway", "routes"]).ok();
        if routes.contains("want the same requests") { Ok(routes) } else { Err(routes) }
    });
    assert!(routes.contains("new/1") && routes.contains("old/1"), "{routes}");
    until("it is in the event log", SOON, || {
        events(&agent, "new").contains(&"route-conflict".to_string()).then_some(())
    });
    let why = agent.adsum(&["service", "why", "new"]).ok();
    assert!(why.contains("its routes and ports are its own"), "{why}");
    agent.adsum(&["service", "update", "new", "--route-rm", "Host(shop.local)"]).ok();
    until("nothing is wrong any more", SOON, || {
        (!agent.adsum(&["gateway", "routes"]).ok().contains("want the same requests")).then_some(())
    });
}

#[test]
fn a_port_that_somebody_else_has_is_told_and_opened_when_it_is_free() {
    let agent = Agent::start();
    let address = agent.spare(0);
    let taken = TcpListener::bind(address).unwrap();
    let port = address.port().to_string();
    create(&agent, "shop", &["--publish", &port, "--route", "Host(shop.local)"]);
    until_served(&agent, "shop.local");
    until_ok("it is told", SOON, || {
        let ports = agent.adsum(&["gateway", "ports"]).ok();
        if ports.contains("cannot be opened") { Ok(()) } else { Err(ports) }
    });
    until("it is in the event log", SOON, || {
        events(&agent, "shop").contains(&"port-taken".to_string()).then_some(())
    });
    drop(taken);
    let served =
        || http::get(address, "/bytes/3").map(|answer| answer.body).map_err(|error| error.to_string());
    assert_eq!(until_ok("it is open", SOON, served), "abc");
    until("that is told as well", SOON, || {
        (!agent.adsum(&["gateway", "ports"]).ok().contains("cannot be opened")).then_some(())
    });
    assert_eq!(get(&agent, "shop.local", "/").unwrap().status, 200);
}
