//! Scripts that take too long: who waits for them is told, can end them, and nothing of them is left.

use std::time::{Duration, Instant};

use adsum_tests::resp::{Connection, Reply};
use adsum_tests::running::Running;
use adsum_tests::{Agent, require, until};

const SOON: Duration = Duration::from_secs(20);

/// Writes and then goes on for ever.
const ENDLESS: &str = "redis.call('set', 'mark', 'left') while true do end";

fn endless(agent: &Agent) -> Running {
    agent.redis_cli_running(&["EVAL", ENDLESS, "0"])
}

/// What `redis-cli` prints, with whatever exit code: a refusal of the server is an answer as any other.
fn said(agent: &Agent, args: &[&str]) -> String {
    agent.redis_cli(args).stdout.trim().to_string()
}

fn wait_until_busy(agent: &Agent) {
    until("others are told that a script runs", SOON, || {
        said(agent, &["PING"]).starts_with("BUSY").then_some(())
    });
}

#[test]
fn an_endless_script_is_told_of_and_killed() {
    if !require("redis-cli") {
        return;
    }
    let agent = Agent::start();
    let mut early = Connection::open(agent.resp()).unwrap();
    assert_eq!(early.ask(&["PING"]).unwrap(), Reply::Text("PONG".into()));
    assert_eq!(said(&agent, &["SCRIPT", "KILL"]), "NOTBUSY No scripts in execution right now.");

    let script = endless(&agent);
    wait_until_busy(&agent);
    let mut ask = |command: &[&str]| early.ask(command).unwrap();
    assert_eq!(ask(&["AUTH", "default", "any"]), Reply::Text("OK".into()));
    assert!(matches!(ask(&["HELLO", "2"]), Reply::List(_)));
    assert_eq!(ask(&["MULTI"]), Reply::Text("OK".into()));
    assert!(matches!(ask(&["SET", "a", "1"]), Reply::Error(error) if error.starts_with("BUSY")));
    assert_eq!(said(&agent, &["SCRIPT", "KILL"]), "OK");

    let killed = script.finish(SOON).stdout;
    assert!(killed.contains("Script killed by user with SCRIPT KILL"), "{killed}");
    assert_eq!(said(&agent, &["PING"]), "PONG");
    assert_eq!(said(&agent, &["EXISTS", "mark", "a"]), "0", "nothing of it is left");
    assert!(matches!(ask(&["EXEC"]), Reply::Error(error) if error.starts_with("EXECABORT")));
    // What ends by itself stays.
    let ending = ENDLESS.replace("while true do end", "return 'done'");
    assert_eq!(said(&agent, &["EVAL", &ending, "0"]), "done");
    assert_eq!(said(&agent, &["GET", "mark"]), "left");
}

#[test]
fn a_script_that_nobody_kills_is_ended_and_taken_back() {
    if !require("redis-cli") {
        return;
    }
    let agent = Agent::start();
    let begin = Instant::now();
    let script = endless(&agent);
    wait_until_busy(&agent);
    let ended = script.finish(SOON + SOON).stdout;
    assert!(ended.contains("the script has run for 5 seconds"), "{ended}");
    assert!(begin.elapsed() >= Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(said(&agent, &["EXISTS", "mark"]), "0", "nothing of it is left");
    assert_eq!(said(&agent, &["SET", "mark", "mine"]), "OK");
}
