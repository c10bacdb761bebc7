//! Instances outlive their agent, and end with it where that was asked for.

use adsum_tests::rounds;

use super::*;

fn pids(agent: &Agent) -> Vec<i32> {
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

/// What was asked for while it was being asked for: nothing is started twice, and nothing is forgotten.
#[test]
fn an_agent_killed_in_the_middle_of_a_scaling_ends_with_the_wanted_number() {
    let mut agent = Agent::start();
    web::create(&agent, "web", &[]);
    for round in 0..rounds(5, 100) {
        let (few, many) = (1, 12);
        agent.adsum(&["service", "scale", &format!("web={many}"), "--detach"]).ok();
        let started = 1 + (round as usize * 3) % 10;
        until("some run", SOON, || (pids(&agent).len() >= started).then_some(()));
        agent.kill9();
        agent.restart();
        until("all pass", SOON, || (passing(&agent, "web").len() == many).then_some(()));
        assert_eq!(pids(&agent).len(), many);
        agent.adsum(&["service", "scale", &format!("web={few}")]).ok();
        assert_eq!(pids(&agent).len(), few);
    }
}

#[test]
fn a_development_agent_takes_its_instances_along() {
    let mut agent = Agent::builder().arg("--dev").start();
    web::create(&agent, "web", &["--replicas", "2"]);
    assert!(agent.terminate().success());
    web::until_nothing_runs(&agent);
}
