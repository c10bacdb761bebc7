//! kill -9 in the middle of a change: what was asked for is carried out all the same, once.

use adsum_tests::rounds;

use super::survival::pids;
use super::*;

/// Who is killed.
#[derive(Clone, Copy)]
enum Victim {
    Agent,
    Both,
}

/// Kills, and starts the next.
fn crash(agent: &mut Agent, victim: Victim) {
    agent.kill9();
    match victim {
        Victim::Agent => {}
        Victim::Both => agent.kill9_keeper(),
    }
    agent.restart();
}

/// Nothing is started twice, and nothing is forgotten.
#[track_caller]
fn scale_with_a_crash(victim: Victim) {
    let mut agent = Agent::start();
    web::create(&agent, "web", &[]);
    let (few, many) = (1, 12);
    for round in 0..rounds(3, 100) {
        agent.adsum(&["service", "scale", &format!("web={many}"), "--detach"]).ok();
        let some = 1 + (round as usize * 4) % 10;
        until("some run", SOON, || (pids(&agent).len() > some).then_some(()));
        crash(&mut agent, victim);
        until("all pass", SOON, || (passing(&agent, "web").len() == many).then_some(()));
        assert_eq!(pids(&agent).len(), many);
        agent.adsum(&["service", "scale", &format!("web={few}")]).ok();
        assert_eq!(pids(&agent).len(), few);
    }
}

#[test]
fn an_agent_killed_in_the_middle_of_a_scaling_ends_with_the_wanted_number() {
    scale_with_a_crash(Victim::Agent);
}

#[test]
fn agent_and_keeper_killed_in_the_middle_of_a_scaling_end_with_the_wanted_number() {
    scale_with_a_crash(Victim::Both);
}

/// The moments after the wish was taken, one after the other, with nothing to go by but chance: the wish itself is the
/// last that is known to have happened.
#[test]
fn an_agent_killed_right_after_a_wish_was_taken_fulfils_it() {
    let mut agent = Agent::start();
    for round in 1..=rounds(6, 200) as usize {
        let (name, replicas) = (format!("web-{round}"), 1 + round % 3);
        web::try_create(&agent, &name, &["--detach", "--replicas", &replicas.to_string()]).ok();
        crash(&mut agent, if round % 2 == 0 { Victim::Agent } else { Victim::Both });
        until("all pass", SOON, || (passing(&agent, &name).len() == replicas).then_some(()));
        assert_eq!(agent.instances_of(&name).len(), replicas);
        agent.adsum(&["service", "rm", &name, "--detach"]).ok();
        crash(&mut agent, Victim::Agent);
        until("it is gone", SOON, || {
            (agent.get(&format!("/api/services/{name}")).status == 404).then_some(())
        });
        assert_eq!(agent.instances_of(&name), []);
    }
}

/// Not even a crash puts a second process on the data of an exclusive service.
#[test]
fn an_agent_killed_in_the_middle_of_an_update_keeps_an_exclusive_service_exclusive() {
    let mut agent = Agent::start();
    // While it is closed no new one listens, and the update stands still in its middle.
    let gate = agent.scratch().file("gate");
    std::fs::write(&gate, "").unwrap();
    let waits = format!("WEB_GATE={gate}");
    web::create(&agent, "web", &["--exclusive", "--replicas", "2", "--env", &waits]);
    for round in 1..=rounds(4, 100) {
        let before = pids(&agent);
        std::fs::remove_file(&gate).unwrap();
        let version = format!("VERSION={round}");
        agent.adsum(&["service", "update", "web", "--env-add", &version, "--detach"]).ok();
        let left = |agent: &Agent| pids(agent).into_iter().filter(|pid| before.contains(pid)).count();
        // The other has to wait until the new one listens.
        until("the first has ended", SOON, || (left(&agent) < 2).then_some(()));
        crash(&mut agent, if round % 2 == 0 { Victim::Agent } else { Victim::Both });
        assert_eq!(left(&agent), 1, "the update did not stand still in its middle");
        std::fs::write(&gate, "").unwrap();
        until("both are replaced", SOON, || {
            let now = live(&agent, "web", "version");
            (now == [json!(round + 1), json!(round + 1)] && passing(&agent, "web").len() == 2).then_some(())
        });
        assert_eq!(pids(&agent).len(), 2);
    }
    assert!(!update::doubled(&agent.data_dir()));
}
