//! The agent is killed at every named point of the journal, under load, and started again.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use adsum_journal::points::{ARMED, POINTS};
use adsum_tests::{Agent, Scratch, http, rounds, until};
use nix::sys::signal::Signal;

use crate::load::{Load, Tally};

const SOON: Duration = Duration::from_secs(30);

/// An agent whose segments and snapshots are small, so that it comes to every point soon.
fn agent(data: &Path, failpoint: Option<&str>) -> Agent {
    let builder = Agent::builder().data_dir(data);
    let sizes = builder.env("ADSUM_SEGMENT_BYTES", "30000").env("ADSUM_SNAPSHOT_BYTES", "60000");
    match failpoint {
        Some(failpoint) => sizes.env("ADSUM_FAILPOINT", failpoint).spawn(),
        None => sizes.start(),
    }
}

/// Whether the agent came as far as to answer before it ended.
fn answers(agent: &Agent) -> bool {
    until("the agent answers or has ended", SOON, || {
        let ready = http::get(agent.http(), "/v1/status/leader").is_ok_and(|response| response.status == 200);
        let ended = adsum_tests::processes::Process::read(agent.pid()).is_none();
        (ready || ended).then_some(ready && !ended)
    })
}

/// A point that only the end in order leads to.
fn is_at_the_end(point: &str) -> bool {
    point.starts_with("mark-")
}

/// Kills an agent at a point and looks at what is left.
fn kill_at(point: &str, count: u32) -> Tally {
    let scratch = Scratch::new();
    let data = scratch.path().join("data");
    let mut load = Load::of_bytes(200);
    // A life before, so that the point is met among files that exist: segments, and a snapshot to be replaced.
    let mut before = agent(&data, None);
    load.during(before.resp(), |progress| progress.wait_for(300));
    before.kill9();
    drop(before);

    let mut doomed = agent(&data, Some(&format!("{point}:{count}")));
    if answers(&doomed) {
        load.during(doomed.resp(), |progress| {
            if is_at_the_end(point) {
                progress.wait_for(50);
                doomed.signal(Signal::SIGTERM);
            }
            let status = doomed.wait_exit(SOON);
            assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "{point}:{count} ended with {status}");
        });
    } else {
        let status = doomed.wait_exit(SOON);
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "{point}:{count} ended with {status}");
    }
    drop(doomed);
    let after = agent(&data, None);
    let tally = load.check(after.resp());
    assert_eq!((tally.lost, tally.invented), (0, 0), "killed at {point}:{count}");
    tally
}

#[test]
fn a_kill_at_any_point_loses_nothing_acknowledged() {
    if !ARMED {
        println!("SKIPPED: this build has no points: build adsum with --features adsum-journal/failpoints");
        return;
    }
    let (mut total, mut kills) = (Tally::default(), 0);
    for point in POINTS {
        let times = if is_at_the_end(point) { 1 } else { rounds(1, 10) };
        for count in 1..=times {
            total += kill_at(point, count);
            kills += 1;
        }
    }
    println!("{kills} kills at {} points: {total:?}", POINTS.len());
}
