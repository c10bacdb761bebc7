//! Instances that end by themselves, or do not get well.

use nix::sys::signal::Signal;

use super::*;

/// The times at which instances of the service ended and started, in milliseconds.
fn times(agent: &Agent, service: &str, kind: &str) -> Vec<u64> {
    let events = web::json(agent, &format!("/api/events?service={service}&limit=1000"));
    let events = events.as_array().expect("it is a list").iter().filter(|event| event["kind"] == kind);
    events.map(|event| event["time"].as_u64().expect("it has a time")).collect()
}

#[test]
fn an_instance_that_was_killed_comes_back_on_its_port() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2"]);
    let (ports, ids) = (live(&agent, "web", "port"), live(&agent, "web", "id"));
    let victim = agent.instances_of("web").swap_remove(0);
    victim.signal(Signal::SIGKILL);
    until("it was started again", SOON, || {
        let restarts: u64 = live(&agent, "web", "restarts").iter().filter_map(Value::as_u64).sum();
        (restarts == 1).then_some(())
    });
    until("both pass", SOON, || (passing(&agent, "web").len() == 2).then_some(()));
    assert_eq!((live(&agent, "web", "port"), live(&agent, "web", "id")), (ports, ids));
    let now = agent.instances_of("web");
    assert_eq!(now.len(), 2);
    assert!(now.iter().all(|it| it.pid != victim.pid), "{now:?}");
    assert!(now.iter().any(|it| it.env("PORT") == victim.env("PORT")), "{now:?}");
}

#[test]
fn one_that_ends_again_and_again_is_started_after_longer_and_longer_pauses() {
    let agent = Agent::start();
    web::try_create(&agent, "web", &["--env", "WEB_EXIT=3", "--restart-delay", "100ms", "--detach"]).ok();
    until("it was started five times", SOON, || {
        (times(&agent, "web", "instance-started").len() >= 5).then_some(())
    });
    let (ended, started) = (times(&agent, "web", "instance-ended"), times(&agent, "web", "instance-started"));
    let pauses: Vec<u64> = ended.iter().zip(&started[1..5]).map(|(ended, started)| started - ended).collect();
    for (pause, least) in pauses.iter().zip([100, 200, 400, 800]) {
        // Ticks and wall clock are two clocks, read one after the other and cut to milliseconds.
        assert!(*pause + 5 >= least, "{pauses:?}");
    }
    until("the next start is told", SOON, || {
        let ps = agent.adsum(&["service", "ps", "web"]).ok();
        (ps.contains("backoff") && ps.contains(", next start in ")).then_some(())
    });
}

#[test]
fn one_that_has_failed_too_often_is_given_up_with_the_reason() {
    let agent = Agent::start();
    let restarts = ["--restart-delay", "10ms", "--restart-max-attempts", "2"];
    // Else the rollout stands still after the first end, which ends the waiting.
    let flags = [&["--env", "WEB_EXIT=3", "--update-failure-action", "continue"][..], &restarts].concat();
    let error = web::try_create(&agent, "web", &flags).fails(1);
    assert!(error.contains("was given up") && error.contains("exited with code 3"), "{error}");
    let why = agent.adsum(&["service", "why", "web"]).ok();
    assert!(why.contains("exited with code 3"), "{why}");
    assert_eq!(agent.instances(), []);
}

#[test]
fn a_service_says_what_it_waits_for() {
    let agent = Agent::start();
    web::try_create(&agent, "web", &["--env", "WEB_LISTEN=no", "--detach"]).ok();
    let ps = || agent.adsum(&["service", "ps", "web"]).ok();
    let text = until("it says so", SOON, || {
        Some(ps()).filter(|text| text.contains("waiting on: web") && text.contains("refused"))
    });
    assert!(text.contains("tcp check"), "{text}");
    let why = agent.adsum(&["service", "why", "web"]).ok();
    assert!(why.contains("its check passes") && why.contains("refused"), "{why}");
    assert_eq!(passing(&agent, "web"), Vec::<String>::new());
}

#[test]
fn an_instance_that_is_sick_gets_no_traffic_until_it_is_well() {
    let agent = Agent::start();
    let check = ["--health-http", "/healthz", "--health-interval", "100ms", "--health-retries", "2"];
    web::create(&agent, "web", &check);
    let pid = live(&agent, "web", "pid");
    let data = agent.instances_of("web")[0].env("ADSUM_DATA_DIR").unwrap().to_string();
    let sick = std::path::Path::new(&data).join("sick");
    std::fs::write(&sick, "").unwrap();
    until("it gets no traffic", SOON, || passing(&agent, "web").is_empty().then_some(()));
    let why = agent.adsum(&["service", "why", "web"]).ok();
    assert!(why.contains("503"), "{why}");
    std::fs::remove_file(sick).unwrap();
    until("it gets traffic", SOON, || (passing(&agent, "web").len() == 1).then_some(()));
    assert_eq!(live(&agent, "web", "pid"), pid);
}

#[test]
fn an_instance_that_takes_long_to_listen_passes_when_it_does() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--env", "WEB_DELAY=1500"]);
    let started = times(&agent, "web", "instance-started")[0];
    let passed = times(&agent, "web", "instance-passing")[0];
    assert!(passed >= started + 1500, "{started} {passed}");
}
