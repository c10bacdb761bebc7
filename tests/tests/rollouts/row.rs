//! Rollouts in a row, of services with different manners.

use adsum_tests::load::{Load, get};
use adsum_tests::stage::SOON;
use adsum_tests::{Stage, Traffic, rounds, until};

/// Requests per second, of all kinds together: a machine that builds something else at the same time can do that.
const RATE: u32 = 100;

/// Updates one after the other, with a moment of nothing in between: new instances are watched for half a second, those
/// of the last update for as long as by default.
#[track_caller]
fn roll(flags: &[&str], rounds: u32) -> Stage {
    roll_when(flags, rounds, |_| ())
}

/// The same; the first update waits for something under the load.
#[track_caller]
fn roll_when(flags: &[&str], rounds: u32, ready: impl FnOnce(&Stage)) -> Stage {
    let stage = Stage::new();
    stage.create("web", &[&["--replicas", "2", "--update-monitor", "500ms"], flags].concat());
    let mut traffic = Traffic::start(&stage, "web", RATE);
    traffic.go_on_for(u64::from(RATE));
    ready(&stage);
    for round in 1..=rounds {
        let version = format!("ROUND={round}");
        let monitor = if round == rounds { "5s" } else { "500ms" };
        let settings = ["--env-add", &version, "--update-monitor", monitor];
        traffic.during(&format!("update {round}"), || {
            stage.agent.adsum(&[&["service", "update", "web"], &settings[..]].concat()).ok();
        });
        traffic.go_on_for(u64::from(RATE) / 10);
    }
    traffic.stop().check_nothing_lost(&stage.entries());
    let begun = stage.entries().count("begun");
    assert_eq!(begun, 2 + 2 * rounds as usize, "each rollout replaces both instances once");
    stage
}

#[test]
fn rollouts_in_a_row_fail_no_request_of_a_service_that_drops_everything_when_told_to_end() {
    let rounds = rounds(10, 100);
    let stage = roll(&[], rounds);
    // Told, and not killed.
    assert_eq!(stage.entries().count("terminated"), 2 * rounds as usize);
}

/// Later than a POST trusts an idle connection, which is half a second. On a busy machine a POST meets such an end
/// nevertheless: that it has not arrived is seen from what the FIN acknowledges.
#[test]
fn rollouts_in_a_row_fail_no_request_of_a_service_that_closes_idle_connections() {
    roll_when(&["--env", "BACKEND_IDLE=1000:100:0"], rounds(3, 100), until_idle_connections_are_closed);
}

/// Many requests at a time leave more connections than the load needs: those that it does not use rest.
#[track_caller]
fn until_idle_connections_are_closed(stage: &Stage) {
    let slow = stage.plan("web", 50).name("many").mix([get("/slow/1000")]).requests(50);
    assert!(Load::start(slow).stop_after(50).failures().is_empty());
    let closed = || stage.entries().count("idle-closed") >= 10;
    until("connections that rest are closed", SOON, || closed().then_some(()));
}

#[test]
fn rollouts_in_a_row_fail_no_request_of_a_service_that_does_not_listen_to_sigterm() {
    let rounds = rounds(3, 100);
    let stage = roll(&["--env", "BACKEND_SIGTERM=ignore", "--stop-grace-period", "300ms"], rounds);
    let entries = stage.entries();
    assert_eq!((entries.count("ignored"), entries.count("terminated")), (2 * rounds as usize, 0));
}
