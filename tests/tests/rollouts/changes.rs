//! Every kind of planned change, one after the other.

use std::time::Duration;

use adsum_tests::crowd::{Crowd, End};
use adsum_tests::load::{Outcome, Plan, Record};
use adsum_tests::stage::SOON;
use adsum_tests::{Stage, Traffic, http, rounds, until, until_ok};

const RATE: u32 = 100;
const SOCKETS: usize = 12;

/// WebSockets that are there while something changes. They are told to leave in the first half of the drain.
struct Sockets(Crowd);

impl Sockets {
    #[track_caller]
    fn open(stage: &Stage) -> Sockets {
        let gateway = stage.agent.gateway();
        let crowd = Crowd::websockets(gateway, "web.local", SOCKETS, Duration::from_millis(500));
        until_ok("all are connected", SOON, || match crowd.open() {
            SOCKETS => Ok(()),
            open => Err(format!("{open} are open, {:?}", crowd.ends())),
        });
        Sockets(crowd)
    }

    /// Each is still open, or was told to leave. How many were told.
    #[track_caller]
    fn check_none_was_cut(self) -> usize {
        let ends = self.0.ends();
        let impolite: Vec<_> = ends.keys().filter(|end| **end != End::Closed(1012)).collect();
        assert!(impolite.is_empty(), "{ends:?}");
        ends.values().sum()
    }
}

#[test]
fn scaling_updating_and_scaling_back_fails_no_request_and_cuts_no_websocket() {
    let stage = Stage::new();
    stage.create("web", &["--replicas", "2", "--drain-timeout", "4s", "--update-monitor", "500ms"]);
    let mut traffic = Traffic::start(&stage, "web", RATE);
    traffic.go_on_for(u64::from(RATE));
    let mut told = 0;
    for round in 0..rounds(1, 30) {
        let sockets = Sockets::open(&stage);
        let version = format!("ROUND={round}");
        let changes: [&[&str]; 4] = [
            &["scale", "web=5"],
            &["update", "web", "--update-parallelism", "2", "--env-add", &version],
            &["update", "web", "--update-order", "stop-first", "--env-add", "ORDER=stop-first"],
            &["scale", "web=2"],
        ];
        for change in changes {
            traffic.during(&change.join(" "), || stage.agent.adsum(&[&["service"], change].concat()).ok());
            traffic.go_on_for(u64::from(RATE) / 10);
        }
        told += sockets.check_none_was_cut();
    }
    println!("{told} WebSockets were told to leave");
    assert!(told > 0);
    traffic.stop().check_nothing_lost(&stage.entries());
}

#[test]
fn going_back_and_maintenance_fail_no_request() {
    let stage = Stage::new();
    stage.create("web", &["--replicas", "2", "--update-monitor", "500ms", "--rollback-monitor", "500ms"]);
    let mut traffic = Traffic::start(&stage, "web", RATE);
    traffic.go_on_for(u64::from(RATE));
    let changes: [&[&str]; 5] = [
        &["service", "update", "web", "--env-add", "ROUND=1"],
        &["service", "rollback", "web"],
        &["maint", "on", "web.1", "--reason", "a look at its disk"],
        &["maint", "off", "web.1"],
        &["service", "update", "web", "--force"],
    ];
    for _ in 0..rounds(1, 30) {
        for change in changes {
            traffic.during(&change.join(" "), || stage.agent.adsum(change).ok());
            traffic.go_on_for(u64::from(RATE) / 10);
        }
    }
    let account = traffic.stop();
    account.check_nothing_lost(&stage.entries());
    // Each of the three rollouts of a round has ended both instances, and maintenance none.
    assert_eq!(stage.entries().count("terminated"), 6 * rounds(1, 30) as usize);
}

/// With one node there is nowhere to go: who asks meanwhile is told so, and nothing else is lost.
#[test]
fn draining_the_only_node_by_force_fails_what_comes_while_nobody_is_there_and_nothing_before() {
    let stage = Stage::new();
    stage.create("web", &["--replicas", "2", "--drain-timeout", "4s"]);
    let mut traffic = Traffic::start(&stage, "web", RATE);
    traffic.go_on_for(u64::from(RATE));
    let begin = traffic.elapsed();
    traffic.during("node drain", || stage.agent.adsum(&["node", "drain", "one", "--force"]).ok());
    assert_eq!(stage.agent.instances_of("web"), []);
    traffic.go_on_for(u64::from(RATE) / 10);
    traffic.during("node activate", || {
        stage.agent.adsum(&["node", "activate", "one"]).ok();
        until("both are back", SOON, || (stage.agent.instances_of("web").len() == 2).then_some(()));
    });
    until("requests are answered again", SOON, || {
        let host = [("Host", "web.local")];
        let answer = http::request(stage.agent.gateway(), "GET", "/", &host, "").ok()?;
        (answer.status == 200).then_some(())
    });
    let again = traffic.elapsed();
    traffic.go_on_for(u64::from(RATE) / 2);
    let account = traffic.stop();
    println!("{account}");
    let failures = account.failures();
    let told = |it: &Record| it.outcome == Outcome::Answered(503) && it.due >= begin && it.due <= again;
    let lost: Vec<_> = failures.iter().filter(|it| !told(it)).collect();
    assert!(!failures.is_empty() && lost.is_empty(), "{} told, lost {lost:#?}", failures.len());
    account.posts_in(&stage.entries()).unwrap();
}

/// The port is the gateway's: instances of two versions have one of their own each, side by side.
#[test]
fn a_published_port_stays_open_while_what_is_behind_it_is_replaced_start_first() {
    let stage = Stage::new();
    let published = stage.agent.spare(0);
    let publish = published.port().to_string();
    stage.create("web", &["--publish", &publish, "--update-monitor", "500ms"]);
    let plan = |kind: &str, rate| Plan::new(published, "anything.example", rate).name(kind);
    let mut traffic = Traffic::to(plan, RATE / 2);
    traffic.go_on_for(u64::from(RATE) / 2);
    traffic.during("update", || {
        stage.agent.adsum(&["service", "update", "web", "--env-add", "ROUND=1"]).ok();
    });
    traffic.stop().check_nothing_lost(&stage.entries());
    assert_eq!(stage.entries().count("terminated"), 1);
}

/// There is nobody else who could answer meanwhile, and two at a time must never be.
#[test]
fn replacing_the_only_instance_of_an_exclusive_service_holds_requests_and_fails_none() {
    let stage = Stage::new();
    stage.create("web", &["--exclusive", "--update-monitor", "500ms"]);
    let mut traffic = Traffic::start(&stage, "web", RATE / 2);
    traffic.go_on_for(u64::from(RATE) / 2);
    for round in 0..rounds(2, 50) {
        let version = format!("ROUND={round}");
        traffic.during("update", || {
            stage.agent.adsum(&["service", "update", "web", "--env-add", &version]).ok();
        });
        traffic.go_on_for(u64::from(RATE) / 10);
    }
    traffic.stop().check_nothing_lost(&stage.entries());
    // While there was none, requests waited.
    assert!(held(&stage) > 0, "nothing was held");
}

/// How many requests have waited for an instance.
fn held(stage: &Stage) -> u64 {
    let metrics = stage.agent.get("/metrics").ok();
    let lines = metrics.lines().filter(|line| line.starts_with("adsum_gateway_held_total"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
