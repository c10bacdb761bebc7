//! The control of all of it: the same load on the same changes, with nobody waited for before an instance is ended.

use adsum_tests::load::Outcome;
use adsum_tests::{Agent, Stage, Traffic};

#[test]
fn without_the_acknowledgements_of_the_gateway_the_same_rollouts_lose_requests() {
    // Listened to by builds for tests only: see `crates/app/control/src/faults.rs`.
    let agent = Agent::builder().env("ADSUM_UNSAFE_SKIP_BARRIER", "1").start();
    let stage = Stage::with(agent);
    stage.create("web", &["--replicas", "2", "--update-monitor", "500ms"]);
    let mut traffic = Traffic::start(&stage, "web", 100);
    traffic.go_on_for(100);
    for round in 0..2 {
        let version = format!("ROUND={round}");
        traffic.during("update", || {
            stage.agent.adsum(&["service", "update", "web", "--env-add", &version]).ok();
        });
    }
    let account = traffic.stop();
    println!("{account}");
    assert!(stage.agent.log().contains("ADSUM_UNSAFE_SKIP_BARRIER"), "it was not listened to");
    let broken = account.records().filter(|record| matches!(record.outcome, Outcome::Truncated(_))).count();
    assert!(broken > 0, "no download was broken off");
    assert!(account.failures().len() >= broken);
}
