//! The new process is killed in the middle: the old one goes on.

use std::os::unix::process::ExitStatusExt as _;

use adsum_tests::until;
use nix::sys::signal::Signal;

use super::{Callers, SOON, ended, stage, take_over, until_serves};

/// All before the commit point, in their order.
const POINTS: [&str; 5] = ["offered", "taking", "given", "locked", "opened"];

#[test]
fn a_new_process_that_is_killed_at_any_point_leaves_the_old_one_to_go_on() {
    let mut stage = stage();
    let callers = Callers::start(&stage);
    let old = u32::try_from(stage.agent.pid()).unwrap();
    for (round, point) in POINTS.into_iter().enumerate() {
        stage.agent.redis_cli(&["SET", "round", point]).ok();
        let mut command = stage.agent.agent_command(&["--takeover"]);
        let mut next = command.env("ADSUM_TAKEOVER_FAILPOINT", point).spawn().unwrap();
        let status = until("the new one has ended", SOON, || next.try_wait().unwrap());
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "it did not come to '{point}'");
        until_serves(&stage.agent, old);
        assert_eq!(stage.agent.redis_cli(&["GET", "round"]).ok().trim(), point);
        assert_eq!(stage.agent.redis_cli(&["INCR", "rounds"]).ok().trim(), (round + 1).to_string());
        callers.go_on_for(20);
    }
    // What was interrupted so often can be done still.
    let before = take_over(&mut stage.agent);
    assert_eq!(stage.agent.redis_cli(&["GET", "rounds"]).ok().trim(), "5");
    callers.go_on_for(20);
    callers.check_nothing_lost(&stage);
    assert!(ended(before).success());
}
