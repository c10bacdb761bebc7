//! How others find the instances of a service: HTTP with blocking queries, and DNS.

use std::time::Instant;

use adsum_tests::http;

use super::*;

/// The index of an answer, to ask for the next with.
#[track_caller]
fn index(response: &http::Response) -> u64 {
    response.header("x-consul-index").expect("it has an index").parse().expect("it is a number")
}

#[test]
fn a_blocking_query_is_answered_when_something_changes() {
    let agent = Agent::start();
    web::create(&agent, "web", &[]);
    let path = "/v1/health/service/web?passing";
    let known = agent.get(path);
    let asked = format!("{path}&index={}&wait=50s", index(&known));
    let begin = Instant::now();
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| agent.get(&asked));
        agent.adsum(&["service", "scale", "web=2"]).ok();
        waiting.join().expect("it is answered")
    });
    assert!(begin.elapsed() < Duration::from_secs(40), "it was not the change that woke it");
    assert!(index(&answer) > index(&known));
}

#[test]
fn a_blocking_query_is_answered_with_the_same_when_nothing_changes() {
    let agent = Agent::start();
    web::create(&agent, "web", &[]);
    let path = "/v1/health/service/web?passing";
    let known = agent.get(path);
    let begin = Instant::now();
    let answer = agent.get(&format!("{path}&index={}&wait=1s", index(&known)));
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
    assert_eq!((index(&answer), answer.ok()), (index(&known), known.ok()));
}

#[test]
fn a_blocking_query_on_one_service_does_not_wake_for_another() {
    let agent = Agent::start();
    web::create(&agent, "web", &[]);
    let path = "/v1/health/service/web?passing";
    let known = agent.get(path);
    let asked = format!("{path}&index={}&wait=3s", index(&known));
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| agent.get(&asked));
        web::create(&agent, "other", &[]);
        waiting.join().expect("it is answered")
    });
    assert!(begin.elapsed() >= Duration::from_secs(3), "{:?}", begin.elapsed());
}

#[test]
fn the_catalog_names_the_services_and_their_addresses() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2", "--tag", "blue"]);
    let services = web::json(&agent, "/v1/catalog/services");
    assert_eq!(services["web"], json!(["blue"]));
    let entries = web::json(&agent, "/v1/catalog/service/web");
    let mut ports: Vec<String> =
        entries.as_array().unwrap().iter().map(|entry| entry["ServicePort"].to_string()).collect();
    let mut expect: Vec<String> =
        agent.instances_of("web").iter().map(|it| it.env("PORT").unwrap().to_string()).collect();
    ports.sort_unstable();
    expect.sort_unstable();
    assert_eq!(ports, expect);
}

#[test]
fn dns_gives_ports_and_addresses_over_udp_and_tcp() {
    if !require("dig") {
        return;
    }
    let agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "3"]);
    for transport in ["+notcp", "+tcp"] {
        let srv = |name: &str| agent.dig(&["srv", name, "+short", transport]).ok();
        assert_eq!(srv("_web._tcp.service.adsum").lines().count(), 3);
        assert_eq!(srv("web.service.adsum").lines().count(), 3);
    }
    assert_eq!(agent.dig(&["a", "web.service.adsum", "+short"]).ok(), "127.0.0.1");
    let id = passing(&agent, "web").swap_remove(0);
    let one = agent.dig(&["srv", &format!("{id}.web.service.adsum"), "+short"]).ok();
    let entry = live(&agent, "web", "id").iter().position(|it| *it == id.as_str()).unwrap();
    assert!(one.contains(&format!(" {} ", live(&agent, "web", "port")[entry])), "{one}");
}

#[test]
fn dns_tells_a_name_that_is_not_from_a_name_without_such_a_record() {
    if !require("dig") {
        return;
    }
    let agent = Agent::start();
    web::create(&agent, "web", &[]);
    let unknown = agent.dig(&["a", "nobody.service.adsum"]).ok();
    assert!(unknown.contains("status: NXDOMAIN") && unknown.contains("SOA"), "{unknown}");
    let nodata = agent.dig(&["txt", "web.service.adsum"]).ok();
    assert!(nodata.contains("status: NOERROR") && nodata.contains("ANSWER: 0"), "{nodata}");
    assert!(nodata.contains("SOA"), "{nodata}");
}

#[test]
fn dns_gives_only_instances_that_pass() {
    if !require("dig") {
        return;
    }
    let agent = Agent::start();
    let flags = ["--replicas", "2", "--health-http", "/healthz", "--health-interval", "100ms"];
    web::create(&agent, "web", &flags);
    let lines = || agent.dig(&["srv", "_web._tcp.service.adsum", "+short"]).ok().lines().count();
    assert_eq!(lines(), 2);
    let data = agent.instances_of("web")[0].env("ADSUM_DATA_DIR").unwrap().to_string();
    std::fs::write(std::path::Path::new(&data).join("sick"), "").unwrap();
    until("one is left", SOON, || (lines() == 1).then_some(()));
}
