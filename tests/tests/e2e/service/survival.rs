//! Instances outlive their agent, and end with it where that was asked for.

use adsum_tests::rounds;
use nix::sys::signal::Signal;

use super::*;

pub(super) fn pids(agent: &Agent) -> Vec<i32> {
    let mut pids: Vec<i32> = agent.instances_of("web").iter().map(|process| process.pid).collect();
    pids.sort_unstable();
    pids
}

/// The agent knows its instances again, and they pass without having been started again.
#[track_caller]
fn check_found(agent: &Agent, before: &[i32]) {
    until("all pass", SOON, || (passing(agent, "web").len() == before.len()).then_some(()));
    assert_eq!(pids(agent), before);
    assert!(live(agent, "web", "restarts").iter().all(|restarts| *restarts == 0));
}

#[test]
fn instances_go_on_when_the_agent_ends_and_are_found_by_the_next() {
    let mut agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2"]);
    let before = pids(&agent);
    assert!(agent.terminate().success());
    assert_eq!(pids(&agent), before);
    agent.restart();
    check_found(&agent, &before);
}

#[test]
fn instances_go_on_when_the_agent_is_killed_at_any_moment() {
    let mut agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2"]);
    let before = pids(&agent);
    for _ in 0..rounds(5, 200) {
        agent.kill9();
        agent.restart();
    }
    check_found(&agent, &before);
}

#[test]
fn instances_go_on_when_agent_and_keeper_are_killed() {
    let mut agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2"]);
    let before = pids(&agent);
    agent.kill9();
    agent.kill9_keeper();
    assert_eq!(pids(&agent), before);
    agent.restart();
    check_found(&agent, &before);
}

#[test]
fn a_killed_keeper_is_replaced_while_the_agent_goes_on() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2"]);
    let before = pids(&agent);
    agent.kill9_keeper();
    until("there is another keeper", SOON, || agent.keeper());
    check_found(&agent, &before);
    agent.adsum(&["service", "scale", "web=3"]).ok();
    assert_eq!(pids(&agent).len(), 3);
}

/// The keeper sees an end also when nobody asks it, and tells the next agent.
#[test]
fn an_instance_that_ended_while_the_agent_was_away_is_started_again() {
    let mut agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2"]);
    let victim = agent.instances_of("web").swap_remove(0);
    agent.kill9();
    victim.signal(Signal::SIGKILL);
    until("it is dead", SOON, || (agent.instances_of("web").len() == 1).then_some(()));
    agent.restart();
    // What is on record before the agent has asked the keeper is as it was left.
    until("its end is known", SOON, || agent.adsum(&["events"]).ok().contains("SIGKILL").then_some(()));
    until("both pass", SOON, || (passing(&agent, "web").len() == 2).then_some(()));
}

#[test]
fn an_instance_that_ended_while_agent_and_keeper_were_away_is_started_again() {
    let mut agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2"]);
    let victim = agent.instances_of("web").swap_remove(0);
    agent.kill9();
    agent.kill9_keeper();
    victim.signal(Signal::SIGKILL);
    until("it is dead", SOON, || (agent.instances_of("web").len() == 1).then_some(()));
    agent.restart();
    until("both pass and run", SOON, || {
        (passing(&agent, "web").len() == 2 && agent.instances_of("web").len() == 2).then_some(())
    });
}

#[test]
fn a_development_agent_takes_its_instances_along() {
    let mut agent = Agent::builder().arg("--dev").start();
    web::create(&agent, "web", &["--replicas", "2"]);
    assert!(agent.terminate().success());
    web::nothing_runs(&agent);
}
