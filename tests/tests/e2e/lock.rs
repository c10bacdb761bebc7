//! `adsum lock`: a command that runs while it holds a lock.

use std::time::{Duration, Instant};

use adsum_tests::processes::Process;
use adsum_tests::resp::{Connection, Reply};
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
    // Renewed after a third of it, by which its loss is noticed. Shorter, and it may be over on a machine that stands still.
    let command = ["lock", "/l", "--ttl", "6s", "--", "sh", "-c", "echo $$ held; exec sleep 600"];
    let holder = agent.adsum_running(&command);
    let line = holder.line_with("held", SOON);
    let pid: i32 = line.split(' ').next().unwrap().parse().unwrap();
    assert!(Process::read(pid).is_some());
    // Somebody takes it away, and somebody else gets it.
    assert_eq!(agent.redis_cli(&["DEL", "/l"]).ok(), "1");
    assert_eq!(agent.redis_cli(&["SET", "/l", "mine", "NX"]).ok(), "OK");
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
    let rest = Connection::open(agent.resp()).unwrap().ask(&["PTTL", "/l"]).unwrap();
    let Reply::Text(rest) = rest else { panic!("PTTL is a number") };
    assert!(rest.parse::<i64>().unwrap() <= 2000, "{rest} ms");
    agent.adsum(&["lock", "/l", "--", "true"]).ok();
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}

#[test]
fn a_lock_is_held_for_longer_than_its_time_while_the_command_runs() {
    let agent = Agent::start();
    let file = agent.scratch().file("go");
    let wait = format!("echo held; while [ ! -e {file} ]; do sleep 0.05; done");
    // Not shorter: a machine may stand still for a second or two, and the lock is rightly lost then.
    let holder = agent.adsum_running(&["lock", "/l", "--ttl", "4s", "--", "sh", "-c", &wait]);
    holder.line_with("held", SOON);
    let error = agent.adsum(&["lock", "/l", "--wait", "9s", "--", "true"]).fails(1);
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

/// Asks until the lock is held under another fence than `before`, and returns that.
fn next_fence(agent: &Agent, key: &str, before: &str) -> String {
    let mut connection = Connection::open(agent.resp()).unwrap();
    until("another holds the lock", SOON, || match connection.ask(&["FENCE", key]).unwrap() {
        Reply::Text(fence) if fence != before => Some(fence),
        _ => None,
    })
}

/// Waits until so many clients wait for a lock.
fn waiting(agent: &Agent, count: usize) {
    let mut connection = Connection::open(agent.resp()).unwrap();
    until("they wait in the queue", SOON, || match connection.ask(&["INFO", "clients"]).unwrap() {
        Reply::Text(info) => info.contains(&format!("blocked_clients:{count}\r\n")).then_some(()),
        _ => None,
    });
}

#[test]
fn who_comes_first_is_served_first() {
    let agent = Agent::start();
    let file = agent.scratch().file("order");
    let mut holder = agent.adsum_running(&["lock", "/l", "--", "sh", "-c", "echo held; read line"]);
    holder.line_with("held", SOON);
    let all: Vec<_> = (0..5)
        .map(|number| {
            let say = format!("echo {number} >> {file}");
            let running = agent.adsum_running(&["lock", "/l", "--", "sh", "-c", &say]);
            waiting(&agent, number + 1);
            running
        })
        .collect();
    holder.send("go\n");
    all.into_iter().for_each(|one| drop(one.finish(SOON).ok()));
    holder.finish(SOON).ok();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "0\n1\n2\n3\n4\n");
}

#[test]
fn a_semaphore_of_two_lets_two_of_three_in() {
    let agent = Agent::start();
    let script = "echo in $ADSUM_LOCK_KEY $ADSUM_LOCK_FENCE; read line";
    let enter = || agent.adsum_running(&["lock", "/s", "-n", "2", "--", "sh", "-c", script]);
    let (mut first, mut second) = (enter(), enter());
    let lines = [first.line_with("in /s:", SOON), second.line_with("in /s:", SOON)];
    let mut slots: Vec<&str> = lines.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
    slots.sort_unstable();
    assert_eq!(slots, ["/s:1", "/s:2"]);
    let mut third = enter();
    waiting(&agent, 1);
    assert_eq!(third.stdout(), "");
    let error = agent.adsum(&["lock", "/s", "-n", "2", "--wait", "0", "--", "true"]).fails(1);
    assert!(error.contains("2 others hold the lock on '/s'"), "{error}");
    first.send("go\n");
    let line = third.line_with("in /s:", SOON);
    assert_eq!(line.split(' ').nth(1), lines[0].split(' ').nth(1));
    first.finish(SOON).ok();
    second.send("go\n");
    third.send("go\n");
    second.finish(SOON).ok();
    third.finish(SOON).ok();
}

/// Its time runs while it is stopped. When it goes on it ends its command, and what that has still written under its
/// fence meanwhile is refused.
#[test]
fn a_holder_that_was_stopped_past_its_time_ends_its_command() {
    if !require("redis-cli") {
        return;
    }
    let agent = Agent::start();
    let command =
        ["lock", "/l", "--ttl", "1s", "--", "sh", "-c", "echo fence $ADSUM_LOCK_FENCE $$; exec sleep 600"];
    let stopped = agent.adsum_running(&command);
    let line = stopped.line_with("fence", SOON);
    let words: Vec<&str> = line.split(' ').collect();
    let (fence, pid) = (words[1], words[2].parse().unwrap());
    stopped.signal(Signal::SIGSTOP);
    let mut next = agent.adsum_running(&["lock", "/l", "--", "sh", "-c", "echo held; read line"]);
    next.line_with("held", SOON);
    let now = next_fence(&agent, "/l", fence);
    assert!(now.parse::<u64>().unwrap() > fence.parse::<u64>().unwrap());
    let refused = agent.redis_cli(&["SET", "/data", "stale", "FENCE", "/l", fence]);
    assert!(format!("{refused:?}").contains(&format!("FENCED {now}")), "{refused:?}");
    stopped.signal(Signal::SIGCONT);
    let output = stopped.finish(SOON);
    assert!(output.clone().fails(1).contains("is lost"), "{output:?}");
    assert!(Process::read(pid).is_none(), "the command goes on without its lock");
    next.send("go\n");
    next.finish(SOON).ok();
}

#[test]
fn an_observer_sees_every_change_of_leader_over_a_restart_of_the_agent() {
    let mut agent = Agent::start();
    let observer = agent.adsum_running(&["lock", "/leader", "--observe"]);
    observer.line_with("free", SOON);
    let lead = |agent: &Agent, name: &str| {
        let command =
            ["lock", "/leader", "--ttl", "4s", "--owner", name, "--", "sh", "-c", "echo leads; read line"];
        agent.adsum_running(&command)
    };
    let one = lead(&agent, "one");
    one.line_with("leads", SOON);
    let mut two = lead(&agent, "two");
    waiting(&agent, 1);
    // It dies without a word, and its time is over.
    one.signal(Signal::SIGKILL);
    two.line_with("leads", SOON);
    observer.line_with("held two", SOON);
    agent.kill9();
    agent.restart();
    two.send("go\n");
    two.finish(SOON).ok();
    until("it is free again", SOON, || (observer.stdout().lines().last() == Some("free")).then_some(()));
    let text = observer.stdout();
    let told: Vec<&str> = text.lines().map(|line| line.split(" fence").next().unwrap()).collect();
    assert_eq!(told, ["free", "held one", "free", "held two", "free"]);
    let mut fences = text.lines().filter_map(|line| line.split("fence ").nth(1)?.parse::<u64>().ok());
    assert!(fences.next().unwrap() < fences.next().unwrap(), "{text}");
    let late = agent.adsum_running(&["lock", "/leader", "--observe", "--format", "json"]);
    late.line_with(r#""held":false"#, SOON);
}

/// Whoever waits goes on waiting when the agent comes back, and is granted once.
#[test]
fn who_waits_outlives_a_restart_of_the_agent() {
    let mut agent = Agent::start();
    let mut holder =
        agent.adsum_running(&["lock", "/l", "--ttl", "20s", "--", "sh", "-c", "echo held; read line"]);
    holder.line_with("held", SOON);
    let waits = agent.adsum_running(&["lock", "/l", "--", "echo", "mine"]);
    waiting(&agent, 1);
    agent.kill9();
    agent.restart();
    waiting(&agent, 1);
    holder.send("go\n");
    holder.finish(SOON).ok();
    assert_eq!(waits.finish(SOON).ok(), "mine");
}

#[test]
fn a_lock_that_another_deletes_is_in_the_event_log_once() {
    let mut agent = Agent::start();
    let mut holder = Connection::open(agent.resp()).unwrap();
    let mut other = Connection::open(agent.resp()).unwrap();
    let broken = |agent: &Agent| {
        let events = crate::web::json(agent, "/api/events?limit=1000");
        let events = events.as_array().unwrap().iter().filter(|event| event["kind"] == "lock-broken");
        events.map(|event| event["message"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    let mut fences = Vec::new();
    for key in ["/a", "/b", "/own", "/c"] {
        let Reply::Text(fence) = holder.ask(&["LOCK", key, "me", "PX", "600000"]).unwrap() else { panic!() };
        fences.push(fence);
    }
    // Its holder may delete it, and what is no lock anybody.
    holder.ask(&["DEL", "/own"]).unwrap();
    holder.ask(&["SET", "/plain", "x"]).unwrap();
    other.ask(&["DEL", "/plain"]).unwrap();
    other.ask(&["DEL", "/a"]).unwrap();
    let told = |key: &str, fence: &str| {
        format!("lock '{key}' (fence {fence}, owner 'me') was deleted by another client")
    };
    let first = told("/a", &fences[0]);
    until("it is told", SOON, || (broken(&agent) == [first.clone()]).then_some(()));
    for words in [&["MULTI"][..], &["DEL", "/b"], &["DEL", "/c"], &["EXEC"]] {
        other.ask(words).unwrap();
    }
    agent.kill9();
    agent.restart();
    let (second, third) = (told("/b", &fences[1]), told("/c", &fences[3]));
    until("they are told after the kill", SOON, || (broken(&agent).len() == 3).then_some(()));
    agent.restart();
    assert_eq!(broken(&agent), [first, second, third]);
    let log = agent.adsum(&["events"]).ok();
    assert!(log.contains("lock-broken"), "{log}");
}
