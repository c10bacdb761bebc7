//! `adsum lock`: a command that runs while it holds a lock.

use std::time::{Duration, Instant};

use adsum_tests::processes::Process;
use adsum_tests::{Agent, require, until};
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn the_command_ends_with_its_own_exit_code_and_the_lock_is_free() {
    let agent = Agent::start();
    let said = agent.adsum(&["lock", "/l", "--", "sh", "-c", "echo $ADSUM_LOCK_KEY; exit 0"]).ok();
    assert_eq!(said, "/l");
    agent.adsum(&["lock", "/l", "--wait", "0", "--", "sh", "-c", "exit 7"]).fails(7);
    agent.adsum(&["lock", "/l", "--wait", "0", "--", "true"]).ok();
}

/// Each adds one to a number in a file by reading and writing it, which goes wrong when two do it at once.
#[test]
fn never_two_commands_run_at_once() {
    let agent = Agent::start();
    let file = agent.scratch().file("number");
    std::fs::write(&file, "0").unwrap();
    let add = format!("n=$(cat {file}); sleep 0.02; echo $((n + 1)) > {file}");
    let all: Vec<_> = (0..8).map(|_| agent.adsum_running(&["lock", "/l", "--", "sh", "-c", &add])).collect();
    all.into_iter().for_each(|one| drop(one.finish(Duration::from_secs(60)).ok()));
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), "8");
}

#[test]
fn a_lock_that_another_holds_is_refused_at_once_when_nobody_wants_to_wait() {
    let agent = Agent::start();
    let mut holder = agent.adsum_running(&["lock", "/l", "--", "sh", "-c", "echo held; read line"]);
    holder.line_with("held", SOON);
    let error = agent.adsum(&["lock", "/l", "--wait", "0", "--", "echo", "never"]).fails(1);
    assert!(error.contains("/l"), "{error}");
    holder.send("go\n");
    holder.finish(SOON).ok();
    agent.adsum(&["lock", "/l", "--wait", "0", "--", "true"]).ok();
}

#[test]
fn a_command_that_loses_its_lock_is_ended() {
    if !require("redis-cli") {
        return;
    }
    let agent = Agent::start();
    let command = ["lock", "/l", "--ttl", "1s", "--", "sh", "-c", "echo $$ held; exec sleep 600"];
    let holder = agent.adsum_running(&command);
    let line = holder.line_with("held", SOON);
    let pid: i32 = line.split(' ').next().unwrap().parse().unwrap();
    assert!(Process::read(pid).is_some());
    // Somebody takes it away, and somebody else gets it.
    assert_eq!(agent.redis_cli(&["SET", "/l", "mine"]).ok(), "OK");
    let output = holder.finish(SOON);
    assert!(output.clone().fails(1).contains("lost"), "{output:?}");
    assert!(Process::read(pid).is_none(), "the command goes on without its lock");
    assert_eq!(agent.redis_cli(&["GET", "/l"]).ok(), "mine");
}

#[test]
fn a_holder_that_died_holds_the_lock_no_longer_than_its_time() {
    let agent = Agent::start();
    let holder =
        agent.adsum_running(&["lock", "/l", "--ttl", "2s", "--", "sh", "-c", "echo held; read line"]);
    holder.line_with("held", SOON);
    holder.signal(Signal::SIGKILL);
    let begin = Instant::now();
    agent.adsum(&["lock", "/l", "--", "true"]).ok();
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn a_lock_is_held_for_longer_than_its_time_while_the_command_runs() {
    let agent = Agent::start();
    let file = agent.scratch().file("go");
    let wait = format!("echo held; while [ ! -e {file} ]; do sleep 0.05; done");
    let holder = agent.adsum_running(&["lock", "/l", "--ttl", "300ms", "--", "sh", "-c", &wait]);
    holder.line_with("held", SOON);
    let error = agent.adsum(&["lock", "/l", "--wait", "1500ms", "--", "true"]).fails(1);
    assert!(error.contains("/l"), "{error}");
    std::fs::write(&file, "").unwrap();
    holder.finish(SOON).ok();
}

#[test]
fn a_lock_outlives_a_restart_of_the_agent() {
    let mut agent = Agent::start();
    let mut holder =
        agent.adsum_running(&["lock", "/l", "--ttl", "20s", "--", "sh", "-c", "echo held; read line"]);
    holder.line_with("held", SOON);
    agent.kill9();
    agent.restart();
    agent.adsum(&["lock", "/l", "--wait", "0", "--", "true"]).fails(1);
    holder.send("go\n");
    holder.finish(SOON).ok();
    until("it is free", SOON, || {
        (agent.adsum(&["lock", "/l", "--wait", "0", "--", "true"]).code == Some(0)).then_some(())
    });
}
