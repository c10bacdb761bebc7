//! Backends that are there and do not answer, and clients that are gone without a word: both are noticed, and what they
//! held is free again.

use std::time::Duration;

use adsum_tests::load::{Load, Outcome, get};
use adsum_tests::processes::Process;
use adsum_tests::{http, until_ok};
use nix::sys::signal::Signal;

use adsum_tests::stage::{SOON, Stage, check_nothing_lost};

#[test]
fn a_stopped_instance_is_left_after_the_time_of_one_try_and_used_again_when_it_goes_on() {
    let stage = Stage::new();
    let tries = ["--label", "adsum.gateway.try-timeout=300ms", "--label", "adsum.gateway.retry-floor=100"];
    let turns = ["--label", "adsum.gateway.balance=round-robin"];
    let health = ["--health-interval", "200ms", "--health-timeout", "200ms", "--health-retries", "2"];
    stage.create("web", &[&["--replicas", "2"], &tries[..], &turns, &health].concat());
    let load = Load::start(stage.plan("web", 50).patience(Duration::from_secs(10)));
    load.go_on_for(50);
    let victim = stage.agent.instances_of("web").swap_remove(0);
    victim.signal(Signal::SIGSTOP);
    load.go_on_for(200);
    let asked = asked_of(&stage, &victim);
    victim.signal(Signal::SIGCONT);
    until_ok("it gets requests again", SOON, || {
        let now = asked_of(&stage, &victim);
        if now > asked + 20 { Ok(()) } else { Err(now.to_string()) }
    });
    let report = load.stop();
    // It was asked while it did not answer, and those requests went elsewhere.
    assert!(report.count(|record| record.attempts.is_some_and(|count| count > 1)) > 0, "{report}");
    check_nothing_lost(&report, &stage.entries());
}

/// Requests of the load, without health checks.
fn asked_of(stage: &Stage, instance: &Process) -> usize {
    stage.entries_of(instance).iter().filter(|event| *event == "request GET /").count()
}

#[test]
fn requests_without_an_answer_give_their_places_back_after_the_timeout() {
    let stage = Stage::new();
    let limits = ["--label", "adsum.gateway.max-requests=4", "--label", "adsum.gateway.max-pending=0"];
    let patience = ["--label", "adsum.gateway.timeout=1s", "--label", "adsum.gateway.retries=0"];
    stage.create("web", &[&limits[..], &patience].concat());
    let hung = Load::start(stage.plan("web", 50).mix([get("/hang")]).requests(8));
    let hung = hung.stop_after(8);
    println!("{hung}");
    // Those in the places were given up after their time, and the rest was refused at once. A worker has its part of the
    // places, so that not all may have been taken when one worker had more requests than others.
    let given_up = hung.count(|record| record.outcome == Outcome::Answered(504));
    let refused = hung.count(|record| record.outcome == Outcome::Answered(503));
    assert!((1..=4).contains(&given_up) && given_up + refused == 8, "{hung}");
    // One after the other, over new connections, and so through both workers: each finds a place.
    for _ in 0..50 {
        http::request(stage.agent.gateway(), "GET", "/", &[("Host", "web.local")], "").unwrap().ok();
    }
}
