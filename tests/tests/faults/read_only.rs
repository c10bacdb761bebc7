//! The filesystem turns read-only while clients write, as ext4 does when it has met an error.

use std::time::Duration;

use adsum_tests::{Agent, rounds};

use crate::filesystem::Filesystem;
use crate::load::{Load, Tally};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_filesystem_that_turns_read_only_ends_the_agent_and_loses_nothing_acknowledged() {
    let (mut total, count) = (Tally::default(), rounds(2, 20));
    for round in 0..count {
        let Some(mut filesystem) = Filesystem::mount(256) else { return };
        let mut agent = Agent::builder().data_dir(&filesystem.data()).start();
        let mut load = Load::new();
        load.during(agent.resp(), |progress| {
            progress.wait_for(50 + u64::from(round) * 13);
            filesystem.turn_read_only();
            let status = agent.wait_exit(SOON);
            assert!(!status.success(), "the agent ended with {status}");
        });
        filesystem.remount();
        agent.restart();
        total += load.check(agent.resp());
        assert_eq!((total.lost, total.invented), (0, 0), "in round {round}");
        agent.kill9();
    }
    println!("{count} filesystems turned read-only: {total:?}");
}
