//! The filesystem of the data directory is filled up by somebody else while clients write, and cleared again.

use std::time::{Duration, Instant};

use adsum_tests::{Agent, rounds, until};

use crate::filesystem::Filesystem;
use crate::load::{Load, Progress, Tally};

const SOON: Duration = Duration::from_secs(30);

/// Until nothing more is acknowledged: writes are refused, or wait for room.
fn until_nothing_goes(progress: &Progress) {
    let mut last = (progress.acknowledged(), Instant::now());
    until("the disk is used up", SOON, || {
        if progress.acknowledged() != last.0 {
            last = (progress.acknowledged(), Instant::now());
        }
        (last.1.elapsed() > Duration::from_secs(1)).then_some(())
    });
}

#[test]
fn a_full_disk_loses_nothing_acknowledged_and_is_left_behind_without_a_restart() {
    let (mut total, count) = (Tally::default(), rounds(1, 20));
    for round in 0..count {
        let Some(filesystem) = Filesystem::mount(128) else { return };
        let mut agent = Agent::builder().data_dir(&filesystem.data()).start();
        // Large, so that the preallocated rest of a segment and the reserve are soon used up.
        let mut load = Load::of_bytes(20_000);
        let recovered = load.during(agent.resp(), |progress| {
            progress.wait_for(50 + 20 * u64::from(round));
            filesystem.fill_up();
            until_nothing_goes(progress);
            let cleared = Instant::now();
            filesystem.clear();
            progress.wait_for(50);
            (cleared.elapsed(), progress.refused())
        });
        println!("goes on {:?} after there is room; {} writes were refused", recovered.0, recovered.1);
        agent.kill9();
        agent.restart();
        total += load.check(agent.resp());
        assert_eq!((total.lost, total.invented), (0, 0), "in round {round}");
        agent.kill9();
    }
    println!("{count} times full: {total:?}");
}
