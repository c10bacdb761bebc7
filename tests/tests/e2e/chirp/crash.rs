//! kill -9 in the middle of the work. Afterwards every tweet is stored, each once, and nothing runs twice.

use std::time::Duration;

use adsum_tests::processes::Process;
use adsum_tests::{rounds, until, until_ok};
use nix::sys::signal::Signal;

use super::deployment::{Deployment, generated};
use super::has_clients;

const SOON: Duration = Duration::from_secs(30);
/// So many of a hundred tweets come before the fault, or while it happens, and the others after it: it is in the middle.
const BEFORE: usize = 80;

/// Has the fault happen in the middle of the work, in CI once, and checks what it has left.
#[track_caller]
fn survive(seed: u32, fault: impl Fn(&mut Deployment)) {
    if !has_clients() {
        return;
    }
    for round in 0..rounds(1, 50) {
        let mut chirp = Deployment::begin_with(&generated(seed + round), BEFORE);
        // Not always at the same moment.
        chirp.until_users(10 + (round as usize * 7) % 60);
        fault(&mut chirp);
        chirp.let_come();
        chirp.until_through();
        chirp.check(2);
        chirp.end();
    }
}

/// Kills one process, and says what of the same service runs instead.
#[track_caller]
fn kill(chirp: &Deployment, victim: &Process) {
    let service = victim.env("ADSUM_SERVICE").expect("an instance knows its service");
    let before = chirp.agent.instances_of(service).len();
    victim.signal(Signal::SIGKILL);
    until("the victim is dead", SOON, || (!runs(victim)).then_some(()));
    until_ok("it runs again", SOON, || {
        let now = chirp.agent.instances_of(service);
        if now.len() == before { Ok(()) } else { Err(format!("{now:?}")) }
    });
}

fn runs(process: &Process) -> bool {
    Process::read(process.pid).is_some_and(|now| now.args == process.args && now.parent == process.parent)
}

/// The first of a service that a user has.
fn user_service(chirp: &Deployment) -> Process {
    let mut instances = chirp.agent.instances();
    instances.retain(|it| it.env("ADSUM_SERVICE").is_some_and(|name| name.starts_with("chirp-user-")));
    instances.swap_remove(0)
}

fn pids(chirp: &Deployment) -> Vec<i32> {
    let mut pids: Vec<i32> = chirp.agent.instances().iter().map(|process| process.pid).collect();
    pids.sort_unstable();
    pids
}

#[test]
fn a_killed_worker_loses_no_tweet() {
    survive(1000, |chirp| {
        let workers = chirp.agent.instances_of("chirp-worker");
        kill(chirp, &workers[0]);
    });
}

#[test]
fn all_workers_killed_at_once_lose_no_tweet() {
    survive(2000, |chirp| {
        let workers = chirp.agent.instances_of("chirp-worker");
        workers.iter().for_each(|worker| worker.signal(Signal::SIGKILL));
        until("all are dead", SOON, || workers.iter().all(|worker| !runs(worker)).then_some(()));
    });
}

#[test]
fn a_killed_user_service_comes_back_with_its_tweets() {
    survive(3000, |chirp| {
        let victim = user_service(chirp);
        kill(chirp, &victim);
    });
}

#[test]
fn a_killed_agent_finds_its_instances_again() {
    survive(4000, |chirp| {
        let before = pids(chirp);
        chirp.agent.kill9();
        assert!(pids(chirp).len() >= before.len(), "instances went with the agent");
        chirp.agent.restart();
        let after = pids(chirp);
        assert!(before.iter().all(|pid| after.contains(pid)), "{before:?} became {after:?}");
    });
}

#[test]
fn an_agent_and_a_keeper_killed_together_find_their_instances_again() {
    survive(5000, |chirp| {
        let before = pids(chirp);
        chirp.agent.kill9();
        chirp.agent.kill9_keeper();
        assert!(chirp.agent.keeper().is_none());
        chirp.agent.restart();
        let after = pids(chirp);
        assert!(before.iter().all(|pid| after.contains(pid)), "{before:?} became {after:?}");
    });
}
