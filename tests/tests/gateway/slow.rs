//! A service whose answers take long: others do not notice, and it gets no more requests than its limit.

use std::time::Duration;

use adsum_tests::load::{Load, Outcome, get};

use adsum_tests::stage::Stage;

/// Of a slow answer, in milliseconds; a real one takes thirty seconds.
const SLOW: u64 = 3000;

#[test]
fn a_slow_service_is_limited_and_does_not_slow_down_others() {
    let stage = Stage::new();
    let limits = ["--label", "adsum.gateway.max-requests=20", "--label", "adsum.gateway.max-pending=30"];
    let hold = ["--label", "adsum.gateway.hold=1s"];
    stage.create("slow", &[&limits[..], &hold].concat());
    stage.create("fast", &["--replicas", "2"]);
    let alone = Load::start(stage.plan("fast", 200).requests(400)).stop_after(400);
    let slow = Load::start(stage.plan("slow", 50).mix([get(&format!("/slow/{SLOW}"))]));
    slow.go_on_for(20);
    let beside = Load::start(stage.plan("fast", 200).requests(800)).stop_after(800);
    let slow = slow.stop();
    println!("alone {alone}\nbeside {beside}\nslow {slow}");
    assert!(beside.failures().is_empty(), "{beside}");
    let p99 = beside.latencies(|_| true).quantile(0.99);
    // Far from what waits for the slow one, and with room for a machine that has other work too: without it, it is as busy.
    let before = alone.latencies(|_| true).quantile(0.99);
    assert!(p99 < Duration::from_millis(SLOW) / 3 + before, "{beside}\nalone {alone}");
    check_limited(&stage, &slow);
}

#[track_caller]
fn check_limited(stage: &Stage, slow: &adsum_tests::load::Report) {
    // It was slow, and too much was asked of it.
    let answered = slow.latencies(|record| record.succeeded());
    assert!(answered.quantile(0.5) >= Duration::from_millis(SLOW), "{slow}");
    let refused = slow.count(|record| record.outcome == Outcome::Answered(503) && record.reason.is_some());
    assert!(refused > 0, "{slow}");
    assert_eq!(refused + slow.count(|record| record.succeeded()), slow.total(), "{slow}");
    let instance = stage.agent.instances_of("slow").swap_remove(0);
    let most = stage.entries_of(&instance).most_at_once("/slow");
    assert!((10..=20).contains(&most), "{most} requests at a time");
}
