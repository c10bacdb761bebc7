//! The control of all of it: the same load on the same changes, with nobody waited for before an instance is ended.

use adsum_tests::load::{Load, Outcome, get};
use adsum_tests::stage::SOON;
use adsum_tests::{Agent, Stage, Traffic, until};

/// What takes three seconds, and is begun ten times a second: whoever is ended has some of it in flight.
const DOWNLOAD: &str = "/stream/60/50";

#[test]
fn without_the_acknowledgements_of_the_gateway_the_same_rollouts_lose_requests() {
    // Listened to by builds for tests only: see `crates/app/control/src/faults.rs`.
    let agent = Agent::builder().env("ADSUM_UNSAFE_SKIP_BARRIER", "1").start();
    let stage = Stage::with(agent);
    stage.create("web", &["--replicas", "2", "--update-monitor", "500ms"]);
    let mut traffic = Traffic::start(&stage, "web", 100);
    traffic.go_on_for(100);
    let downloads = Load::start(stage.plan("web", 10).name("downloads").mix([get(DOWNLOAD)]));
    until("each instance has downloads in flight", SOON, || {
        let begun = |it| stage.entries_of(it).count("request GET /stream/60/") > 2;
        stage.agent.instances_of("web").iter().all(begun).then_some(())
    });
    for round in 0..2 {
        let version = format!("ROUND={round}");
        traffic.during("update", || {
            stage.agent.adsum(&["service", "update", "web", "--env-add", &version]).ok();
        });
    }
    let (account, downloads) = (traffic.stop(), downloads.stop());
    println!("{account}\n{downloads}");
    assert!(stage.agent.log().contains("ADSUM_UNSAFE_SKIP_BARRIER"), "it was not listened to");
    let broken = downloads.count(|record| matches!(record.outcome, Outcome::Truncated(_)));
    assert!(broken > 0, "no download was broken off");
    assert!(downloads.failures().len() >= broken);
}
