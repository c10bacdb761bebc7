//! Another program lies where the agent's was, as before any upgrade.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::time::Duration;

use adsum_tests::succession::renew;
use adsum_tests::{Agent, Scratch, until};
use nix::sys::signal::Signal;

use super::told::{go_on, stopped_at};
use super::{SOON, ended, take_over, until_serves};

/// An agent of a program that is not there any more, but for one that was put in its place.
fn replaced(place: &Scratch) -> Agent {
    let program: PathBuf = place.path().join("adsum");
    std::fs::copy(adsum_tests::program::adsum(), &program).unwrap();
    let agent = Agent::builder().program(&program).start();
    let next = place.path().join("next");
    std::fs::copy(&program, &next).unwrap();
    std::fs::rename(&next, &program).unwrap();
    let runs = std::fs::read_link(format!("/proc/{}/exe", agent.pid())).unwrap();
    assert!(runs.to_string_lossy().ends_with(" (deleted)"), "{runs:?}");
    agent
}

#[track_caller]
fn until_another_keeper(agent: &Agent, before: i32) {
    until("there is a keeper again", SOON, || agent.keeper().filter(|keeper| keeper.pid != before));
}

#[test]
fn a_keeper_that_is_lost_is_started_anew() {
    let place = Scratch::new();
    let agent = replaced(&place);
    let before = agent.keeper().unwrap();
    assert_eq!(before.args[..2], ["adsum", "keeper"], "it has a name that says something");
    agent.kill9_keeper();
    until_another_keeper(&agent, before.pid);
}

#[test]
fn a_takeover_that_fails_leaves_the_old_agent_with_a_keeper() {
    let place = Scratch::new();
    let mut agent = replaced(&place);
    let old = u32::try_from(agent.pid()).unwrap();
    let before = agent.keeper().unwrap();
    let mut next = stopped_at(&agent, "given");
    // Nobody holds on to it now.
    agent.kill9_keeper();
    next.kill().unwrap();
    next.wait().unwrap();
    until_serves(&agent, old);
    until_another_keeper(&agent, before.pid);
    let retired = take_over(&mut agent);
    assert!(ended(retired).success());
}

#[test]
fn one_who_knocks_and_dies_keeps_nobody_out() {
    let mut agent = Agent::start();
    agent.signal(Signal::SIGSTOP);
    let mut command = agent.agent_command(&["--takeover"]);
    let mut knocker = command.env("ADSUM_TAKEOVER_FAILPOINT", "knocked").spawn().unwrap();
    let status = until("it has gone", SOON, || knocker.try_wait().unwrap());
    assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "it has not knocked");
    agent.signal(Signal::SIGCONT);
    until("it is noticed", SOON, || agent.log().contains("cannot be let in").then_some(()));
    let before = take_over(&mut agent);
    assert!(ended(before).success());
}

/// Each of them may take five seconds to say what it wants: waited for one after the other, they would hold up the old
/// process for longer than is waited for here.
#[test]
fn those_who_knock_meanwhile_and_say_nothing_hold_up_no_takeover() {
    let mut agent = Agent::start();
    let next = stopped_at(&agent, "given");
    let mut silent: Vec<_> = (0..6).map(|_| stopped_at(&agent, "knocked")).collect();
    let process = next.id();
    go_on(&next);
    let mut before = agent.replace(next).unwrap();
    until("the old one has gone", Duration::from_secs(15), || before.try_wait().unwrap());
    until_serves(&agent, process);
    for knocker in &mut silent {
        assert!(knocker.try_wait().unwrap().is_none(), "it has not stopped");
        knocker.kill().unwrap();
        knocker.wait().unwrap();
    }
}

/// As releases are often kept side by side: the next one is where the link leads to now, not where it led to.
#[test]
fn an_agent_behind_a_link_is_followed_by_the_program_that_the_link_leads_to_now() {
    let place = Scratch::new();
    let at = |name: &str| place.path().join(name);
    for release in ["adsum-1", "adsum-2"] {
        std::fs::copy(adsum_tests::program::adsum(), at(release)).unwrap();
    }
    std::os::unix::fs::symlink("adsum-1", at("adsum")).unwrap();
    let agent = Agent::builder().program(&at("adsum")).start();
    let runs = |pid: u32| std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    assert_eq!(runs(u32::try_from(agent.pid()).unwrap()), at("adsum-1"));
    std::os::unix::fs::symlink("adsum-2", at("next")).unwrap();
    std::fs::rename(at("next"), at("adsum")).unwrap();
    let next = renew(&agent);
    assert_eq!(runs(next), at("adsum-2"));
}
