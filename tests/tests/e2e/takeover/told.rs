//! The old process is told to end while another takes over: nobody is left who was not told.

use std::process::Child;

use adsum_tests::{Agent, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{SOON, ended};

/// A process that takes over and has stopped at this point.
#[track_caller]
pub(super) fn stopped_at(agent: &Agent, point: &str) -> Child {
    let mut command = agent.agent_command(&["--takeover"]);
    let next = command.env("ADSUM_TAKEOVER_STOPPOINT", point).spawn().unwrap();
    let stat = format!("/proc/{}/stat", next.id());
    until("it has stopped", SOON, || {
        let stat = std::fs::read_to_string(&stat).unwrap();
        stat.rsplit_once(") ").unwrap().1.starts_with('T').then_some(())
    });
    next
}

pub(super) fn go_on(process: &Child) {
    kill(Pid::from_raw(process.id().cast_signed()), Signal::SIGCONT).unwrap();
}

#[test]
fn an_agent_that_is_told_to_end_gives_nothing_away_any_more() {
    let mut agent = Agent::start();
    let next = stopped_at(&agent, "offered");
    agent.signal(Signal::SIGTERM);
    assert!(agent.wait_exit(SOON).success());
    go_on(&next);
    assert_eq!(ended(next).code(), Some(1));
    assert!(agent.log().contains("refuses the takeover: this agent was told to end"), "{}", agent.log());
}

#[test]
fn what_is_given_away_already_ends_with_the_new_one() {
    let mut agent = Agent::start();
    let next = stopped_at(&agent, "opened");
    agent.signal(Signal::SIGTERM);
    // Whoever has given everything away already has nobody to tell any more.
    until("it has noticed", SOON, || agent.log().contains("told to end while another").then_some(()));
    go_on(&next);
    assert!(ended(next).success(), "it is told to end, too");
    assert!(agent.wait_exit(SOON).success());
}

#[test]
fn an_agent_that_gets_its_journal_back_ends_as_it_was_told() {
    let mut agent = Agent::start();
    let mut next = stopped_at(&agent, "opened");
    agent.signal(Signal::SIGTERM);
    next.kill().unwrap();
    next.wait().unwrap();
    assert!(agent.wait_exit(SOON).success());
    agent.begin();
    agent.wait_ready();
}
