//! An instance that dies in the middle of its answers.

use std::time::Duration;

use adsum_tests::load::{Load, Outcome, Record, get, post};
use adsum_tests::processes::Process;
use adsum_tests::{rounds, until, until_ok};
use nix::sys::signal::Signal;

use adsum_tests::stage::{SOON, Stage};

/// From its death until everybody can know of it, on a machine that is busy.
const UNNOTICED: Duration = Duration::from_millis(200);

#[test]
fn a_killed_instance_costs_only_what_it_had_in_flight_and_no_answer_looks_whole_that_is_not() {
    let stage = Stage::new();
    stage.create("web", &["--replicas", "2", "--restart-delay", "100ms"]);
    // Bodies of half a second, whole answers in between, and POSTs that are soon over.
    let mix = [get("/stream/25/20"), get("/bytes/500"), post("/order", 100), get("/stream/25/20")];
    let load = Load::start(stage.plan("web", 200).mix(mix));
    load.go_on_for(200);
    let kills: Vec<Kill> = (0..rounds(2, 50)).map(|_| kill_one(&stage, &load)).collect();
    let report = load.stop();
    println!(
        "{} in flight on those that were killed\n{report}",
        kills.iter().map(|kill| kill.lost).sum::<usize>()
    );
    let truncated = report.count(|record| matches!(record.outcome, Outcome::Truncated(_)));
    assert!(truncated > 0, "no answer was broken off: nothing was shown");
    assert_eq!(
        report.count(|record| record.outcome == Outcome::Wrong),
        0,
        "a part of an answer passed for whole"
    );
    let failures = report.failures();
    let elsewhere: Vec<_> =
        failures.iter().filter(|it| !kills.iter().any(|kill| kill.explains(it))).collect();
    assert!(elsewhere.is_empty(), "not in flight on what was killed: {elsewhere:#?}");
    report.posts_in(&stage.entries()).unwrap();
}

/// An instance that was killed.
struct Kill {
    at: Duration,
    /// When it was dead: on a busy machine that is later.
    dead: Duration,
    /// As `X-Backend` names it.
    instance: String,
    /// What it had begun and not ended.
    lost: usize,
}

impl Kill {
    /// Whether this request was under way when the instance died, and on no other, as far as that is known.
    fn explains(&self, record: &Record) -> bool {
        let there = record.due <= self.dead + UNNOTICED && record.due + record.latency >= self.at;
        there && record.backend.as_ref().is_none_or(|backend| *backend == self.instance)
    }
}

fn kill_one(stage: &Stage, load: &Load) -> Kill {
    let victim = stage.agent.instances_of("web").swap_remove(0);
    let at = load.elapsed();
    victim.signal(Signal::SIGKILL);
    until("it is dead", SOON, || Process::read(victim.pid).is_none().then_some(()));
    let dead = load.elapsed();
    load.go_on_for(100);
    until_ok("the instance is replaced", SOON, || match stage.agent.instances_of("web") {
        instances if instances.len() == 2 && instances.iter().all(|it| it.pid != victim.pid) => Ok(()),
        instances => Err(format!("{instances:?}")),
    });
    let entries = stage.entries_of(&victim);
    let lost = entries.count("request ") - entries.count("done ");
    load.go_on_for(200);
    Kill { at, dead, instance: victim.env("ADSUM_INSTANCE").unwrap().to_string(), lost }
}
