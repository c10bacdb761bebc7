//! Agents and keepers that are killed: nothing is doubled, nothing is lost.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use adsum_runtime::{ExitStatus, Keeper, Signal, State};

use crate::kit::*;

/// Counts until it is told to end, and says when a write fails. Without a reader SIGPIPE would end it.
const COUNTER: &str = "i=0; while [ ! -e stop ]; do i=$((i+1)); echo $i; sleep 0.001; done; echo end";

/// Kills the keeper and waits for the one that the session starts in its place.
async fn replace_keeper(keeper: &Keeper) {
    kill_9(keeper.pid());
    replacement(keeper, keeper.pid()).await;
}

async fn replacement(keeper: &Keeper, old: u32) {
    let mut changes = keeper.changes();
    let replaced = async {
        while keeper.pid() == old {
            changes.changed().await.expect("the session");
        }
    };
    tokio::time::timeout(Duration::from_secs(20), replaced).await.expect("a new keeper");
    assert!(!lives(old));
}

#[tokio::test]
async fn a_new_keeper_adopts_and_no_output_is_lost() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let process = keeper.start(node.script(&id(1), COUNTER)).await.unwrap();
    for round in 1..=5 {
        let before = node.lines(&id(1)).len();
        until("output comes", || node.lines(&id(1)).len() > before + 20);
        replace_keeper(&keeper).await;
        assert_eq!(process_of(&keeper, &id(1)).await, Some(process.clone()), "round {round}");
    }
    fs::write(node.path("stop"), "").unwrap();
    assert_eq!(exit_of(&keeper, &id(1)).await, ExitStatus::Unknown);
    let mut lines = node.lines(&id(1));
    assert_eq!(lines.pop().as_deref(), Some("end"));
    // A keeper that was killed between writing and taking may have left a piece to be written again.
    let mut numbers: Vec<u32> = lines.iter().map(|line| line.parse().expect("a number")).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, (1..=numbers.len() as u32).collect::<Vec<_>>());
    assert!(numbers.len() > 100);
}

#[tokio::test]
async fn a_child_without_any_keeper_waits_and_goes_on() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let script =
        "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i ----------------------------------------; done";
    // 144 kB: more than a pipe holds, so the writer has to wait for somebody who reads.
    let process =
        keeper.start(node.script(&id(1), &format!("while [ ! -e go ]; do sleep 0.01; done; {script}")));
    let process = process.await.unwrap();
    let old = keeper.pid();
    drop(keeper);
    kill_9(old);
    until("the keeper is gone", || !lives(old));
    fs::write(node.path("go"), "").unwrap();
    until("the pipe is full", || {
        let wchan = fs::read_to_string(format!("/proc/{}/wchan", process.pid)).unwrap_or_default();
        let syscall = fs::read_to_string(format!("/proc/{}/syscall", process.pid)).unwrap_or_default();
        wchan.contains("pipe_write") || wchan.contains("pipe_wait") || syscall.starts_with("1 ")
    });
    assert!(lives(process.pid));
    let keeper = node.keeper().await;
    assert_eq!(exit_of(&keeper, &id(1)).await, ExitStatus::Unknown);
    let lines = node.lines(&id(1));
    assert_eq!(lines.len(), 3000);
    assert!(lines[2999].starts_with("3000 "));
}

#[tokio::test]
async fn an_agent_that_goes_away_touches_nothing() {
    let node = Node::new();
    let first = node.keeper().await;
    let process = first.start(node.script(&id(1), "exec sleep 1000")).await.unwrap();
    let keeper = first.pid();
    drop(first);
    let second = node.keeper().await;
    assert_eq!(second.pid(), keeper);
    assert_eq!(process_of(&second, &id(1)).await, Some(process));
}

#[tokio::test]
async fn an_adopted_child_is_stopped_like_an_own_one() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let gentle = keeper.start(node.script(&id(1), "sleep 1000")).await.unwrap();
    let script = "trap '' TERM; echo up; while :; do sleep 0.01; done";
    let stubborn = keeper.start(node.script(&id(2), script)).await.unwrap();
    until("the trap is set", || node.lines(&id(2)) == ["up"]);
    replace_keeper(&keeper).await;
    keeper.stop(&id(1), Signal::TERM, GRACE).await.unwrap();
    assert_eq!(exit_of(&keeper, &id(1)).await, ExitStatus::Unknown);
    keeper.stop(&id(2), Signal::TERM, Duration::from_millis(100)).await.unwrap();
    assert_eq!(exit_of(&keeper, &id(2)).await, ExitStatus::Unknown);
    assert!(!lives(gentle.pid) && !lives(stubborn.pid));
    assert!(node.marked(&id(1)).is_empty() && node.marked(&id(2)).is_empty());
}

#[tokio::test]
async fn a_stop_goes_on_when_agent_and_keeper_are_killed() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let script = "trap '' TERM; echo up; while :; do sleep 0.01; done";
    let process = keeper.start(node.script(&id(1), script)).await.unwrap();
    until("the trap is set", || node.lines(&id(1)) == ["up"]);
    keeper.stop(&id(1), Signal::TERM, Duration::from_millis(300)).await.unwrap();
    let old = keeper.pid();
    drop(keeper);
    kill_9(old);
    until("the keeper is gone", || !lives(old));
    assert!(lives(process.pid));
    let next = node.keeper().await;
    exit_of(&next, &id(1)).await;
    assert!(!lives(process.pid));
}

#[tokio::test]
async fn a_keeper_that_is_told_to_end_leaves_its_instances() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let process = keeper.start(node.script(&id(1), "exec sleep 1000")).await.unwrap();
    let old = keeper.pid();
    let pid = nix::unistd::Pid::from_raw(old as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::SIGTERM).unwrap();
    replacement(&keeper, old).await;
    assert_eq!(process_of(&keeper, &id(1)).await, Some(process));
}

/// Greets as a keeper of a protocol that we do not speak, and leaves when it is told to.
fn keeper_of_another_version(node: &Node) -> std::thread::JoinHandle<String> {
    use std::io::{Read, Write};
    let socket = node.keeper_dir().join("keeper.sock");
    fs::create_dir_all(node.keeper_dir()).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let hello = format!(
        r#"{{"hello":{{"protocol":999,"pid":1,"cluster":"{}","tree":"cgroup2","new":[]}}}}"#,
        node.cluster()
    );
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&(hello.len() as u32).to_be_bytes()).unwrap();
        stream.write_all(hello.as_bytes()).unwrap();
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut request).unwrap();
        fs::remove_file(socket).unwrap();
        String::from_utf8(request).unwrap()
    })
}

#[tokio::test]
async fn a_keeper_of_another_version_is_sent_home() {
    let node = Node::new();
    let old = keeper_of_another_version(&node);
    let keeper = node.keeper().await;
    assert_eq!(old.join().unwrap(), r#"{"number":0,"verb":"leave"}"#);
    assert_ne!(keeper.pid(), 1);
    assert_eq!(keeper.list().await.unwrap(), []);
}

#[tokio::test]
async fn an_exit_is_remembered_over_a_killed_keeper() {
    let node = Node::new();
    let keeper = node.keeper().await;
    keeper.start(node.script(&id(1), "exit 7")).await.unwrap();
    exit_of(&keeper, &id(1)).await;
    let before = state_of(&keeper, &id(1)).await;
    replace_keeper(&keeper).await;
    assert_eq!(state_of(&keeper, &id(1)).await, before);
    assert!(matches!(before, Some(State::Exited { status: ExitStatus::Code(7), at_unix_ms: 1.., .. })));
}

#[tokio::test]
async fn a_child_that_ends_without_a_keeper_is_found_ended() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let leaver = "(sleep 1000 & echo $! > left); while [ ! -e stop ]; do sleep 0.01; done";
    let process = keeper.start(node.script(&id(1), leaver)).await.unwrap();
    let left = wait_for("a process in the background", || {
        fs::read_to_string(node.path("left")).ok()?.trim().parse::<u32>().ok()
    });
    let old = keeper.pid();
    drop(keeper);
    kill_9(old);
    until("the keeper is gone", || !lives(old));
    fs::write(node.path("stop"), "").unwrap();
    until("the child has ended", || !lives(process.pid));
    assert!(lives(left));
    let keeper = node.keeper().await;
    assert_eq!(exit_of(&keeper, &id(1)).await, ExitStatus::Unknown);
    assert!(!lives(left));
}

fn intent(node: &Node, seed: u64, process: &str) {
    let text = format!(
        r#"{{"format":1,"id":"{}","boot_id":"{}","log":"{}","process":{process}}}"#,
        id(seed),
        boot_id(),
        node.log(&id(seed)).display()
    );
    fs::create_dir_all(node.keeper_dir().join("instances")).unwrap();
    fs::write(node.record(&id(seed)), text).unwrap();
}

/// A process as a keeper would have started it, which is nobody's to wait for.
fn stray(node: &Node, seed: u64) -> u32 {
    let script = "setsid sleep 1000 >/dev/null 2>&1 & echo $!";
    let output = Command::new("/bin/sh")
        .args(["-c", script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("ADSUM_INSTANCE", id(seed).as_str())
        .env("ADSUM_CLUSTER", node.cluster())
        .process_group(0)
        .output()
        .unwrap();
    let pid: u32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    until("it sleeps", || status_field(pid, "Name").as_deref() == Some("sleep"));
    pid
}

#[tokio::test]
async fn a_start_that_was_cut_short_is_found_by_its_environment() {
    let node = Node::new();
    let pid = stray(&node, 1);
    intent(&node, 1, "null");
    let keeper = node.keeper().await;
    let process = process_of(&keeper, &id(1)).await.expect("it is adopted");
    assert_eq!((process.pid, process.start_time), (pid, start_time(pid)));
    assert_eq!(keeper.start(node.script(&id(1), "sleep 1000")).await.unwrap(), process);
    assert_eq!(node.marked(&id(1)), [pid]);
    keeper.stop(&id(1), Signal::TERM, GRACE).await.unwrap();
    exit_of(&keeper, &id(1)).await;
    assert!(!lives(pid));
}

#[tokio::test]
async fn a_start_that_never_came_to_a_process_is_known_as_not_started() {
    let node = Node::new();
    intent(&node, 1, "null");
    let keeper = node.keeper().await;
    assert_eq!(keeper.list().await.unwrap(), []);
    keeper.start(node.script(&id(1), "exec sleep 1000")).await.unwrap();
    assert_eq!(node.marked(&id(1)).len(), 1);
}

#[tokio::test]
async fn a_pid_that_was_reused_is_not_adopted() {
    let node = Node::new();
    let mut stranger = Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
    let pid = stranger.id();
    let wrong = start_time(pid) - 1;
    intent(&node, 1, &format!(r#"{{"pid":{pid},"start_time":{wrong},"boot_id":"{}"}}"#, boot_id()));
    let keeper = node.keeper().await;
    assert_eq!(exit_of(&keeper, &id(1)).await, ExitStatus::Unknown);
    assert!(lives(pid));
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_record_of_another_boot_is_an_exit() {
    let node = Node::new();
    let pid = std::process::id();
    intent(&node, 1, &format!(r#"{{"pid":{pid},"start_time":{},"boot_id":"other"}}"#, start_time(pid)));
    let text = fs::read_to_string(node.record(&id(1))).unwrap().replace(&boot_id(), "other");
    fs::write(node.record(&id(1)), text).unwrap();
    let keeper = node.keeper().await;
    assert_eq!(exit_of(&keeper, &id(1)).await, ExitStatus::Unknown);
}

#[tokio::test]
async fn a_damaged_record_leaves_nothing_running() {
    let node = Node::new();
    let pid = stray(&node, 1);
    fs::create_dir_all(node.keeper_dir().join("instances")).unwrap();
    fs::write(node.record(&id(1)), "{").unwrap();
    let keeper = node.keeper().await;
    assert_eq!(keeper.list().await.unwrap(), []);
    until("what ran of it is killed", || !lives(pid));
    assert!(node.record(&id(1)).with_extension("damaged").exists());
}

#[tokio::test]
async fn keepers_killed_at_any_time_never_double_or_lose_an_instance() {
    let node = Node::new();
    let mut keeper = node.keeper().await;
    let mut started = 0;
    for round in 0..40u64 {
        let start = node.script(&id(round), "exec sleep 1000");
        let starting = {
            let keeper = keeper.clone();
            tokio::spawn(async move { keeper.start(start).await })
        };
        // The kill falls at another place of the start in each round.
        tokio::time::sleep(Duration::from_micros(round * 100)).await;
        kill_9(keeper.pid());
        if round % 2 == 0 {
            // The agent dies too.
            starting.abort();
            keeper = node.keeper().await;
        } else {
            starting.await.unwrap().expect("a start that is asked again");
        }
        let listed = process_of(&keeper, &id(round)).await.map(|process| process.pid);
        let marked = node.marked(&id(round));
        assert_eq!(marked, listed.into_iter().collect::<Vec<_>>(), "round {round}");
        started += marked.len();
    }
    assert!(started >= 20, "{started}");
}
