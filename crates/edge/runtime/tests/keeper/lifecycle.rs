//! Start, stop, list, forget, shut down: what an agent does with its instances.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, fs};

use adsum_runtime::{Error, ExitStatus, Keeper, Listener, Signal, StartError, State, listens};

use crate::kit::*;

#[tokio::test]
async fn a_started_instance_is_listed_stopped_and_forgotten() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let process = keeper.start(node.script(&id(1), "sleep 1000")).await.unwrap();
    assert_eq!(process.start_time, start_time(process.pid));
    assert_eq!(process.boot_id, boot_id());
    assert_eq!(process_of(&keeper, &id(1)).await, Some(process.clone()));
    assert!(matches!(keeper.forget(&id(1)).await, Err(Error::StillRunning(_))));
    assert!(keeper.pids(&id(1)).await.unwrap().contains(&process.pid));

    keeper.stop(&id(1), Signal::TERM, GRACE).await.unwrap();
    assert_eq!(exit_of(&keeper, &id(1)).await, ExitStatus::Signal(15));
    assert!(!lives(process.pid));
    assert!(keeper.pids(&id(1)).await.unwrap().is_empty());

    keeper.forget(&id(1)).await.unwrap();
    assert_eq!(keeper.list().await.unwrap(), []);
    assert!(!node.record(&id(1)).exists());
    assert!(node.log(&id(1)).exists());
    assert!(matches!(keeper.stop(&id(1), Signal::TERM, GRACE).await, Err(Error::Unknown(_))));
}

#[tokio::test]
async fn an_exit_is_told_with_its_code_or_signal() {
    let node = Node::new();
    let keeper = node.keeper().await;
    for (seed, script, status) in [
        (1, "exit 0", ExitStatus::Code(0)),
        (2, "exit 3", ExitStatus::Code(3)),
        (3, "kill -9 $$", ExitStatus::Signal(9)),
        (4, "kill -40 $$", ExitStatus::Signal(40)),
    ] {
        keeper.start(node.script(&id(seed), script)).await.unwrap();
        assert_eq!(exit_of(&keeper, &id(seed)).await, status, "{script}");
    }
}

#[tokio::test]
async fn a_change_wakes_within_milliseconds() {
    let node = Node::new();
    let keeper = node.keeper().await;
    // The quickest of some: what else the machine does makes none of them quicker.
    let mut quickest = Duration::MAX;
    for seed in 1..=5 {
        let process = keeper.start(node.script(&id(seed), "exec sleep 1000")).await.unwrap();
        let killed = Instant::now();
        kill_9(process.pid);
        assert_eq!(exit_of(&keeper, &id(seed)).await, ExitStatus::Signal(9));
        quickest = quickest.min(killed.elapsed());
    }
    assert!(quickest < Duration::from_millis(500), "{quickest:?}");
}

#[tokio::test]
async fn starting_twice_starts_once() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let first = keeper.start(node.script(&id(1), "exec sleep 1000")).await.unwrap();
    let mut starts = Vec::new();
    for _ in 0..10 {
        let keeper = node.keeper().await;
        let start = node.script(&id(1), "exec sleep 1000");
        starts.push(tokio::spawn(async move { keeper.start(start).await.unwrap() }));
    }
    for start in starts {
        assert_eq!(start.await.unwrap(), first);
    }
    assert_eq!(node.marked(&id(1)), [first.pid]);
}

#[tokio::test]
async fn an_exited_instance_starts_anew() {
    let node = Node::new();
    let keeper = node.keeper().await;
    keeper.start(node.script(&id(1), "echo one")).await.unwrap();
    exit_of(&keeper, &id(1)).await;
    let process = keeper.start(node.script(&id(1), "echo two; exec sleep 1000")).await.unwrap();
    assert_eq!(process_of(&keeper, &id(1)).await, Some(process));
    until("both runs are in the log", || node.lines(&id(1)) == ["one", "two"]);
}

#[tokio::test]
async fn many_starters_have_one_keeper() {
    let node = Node::new();
    let connects: Vec<_> = (0..12)
        .map(|_| {
            let config = node.config();
            tokio::spawn(async move { Keeper::connect_or_start(config).await.expect("a keeper").pid() })
        })
        .collect();
    let mut pids = Vec::new();
    for connect in connects {
        pids.push(connect.await.unwrap());
    }
    pids.dedup();
    assert_eq!(pids.len(), 1);
    let log = fs::read_to_string(node.keeper_dir().join("keeper.log")).unwrap();
    assert_eq!(log, "");
}

#[tokio::test]
async fn a_child_gets_a_clean_world() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let mut start = node.script(
        &id(1),
        "env | sort; echo umask $(umask); echo core $(ulimit -c);
         grep -E '^(SigBlk|SigIgn|NoNewPrivs)' /proc/self/status; readlink /proc/self/fd/0; pwd; kill -TERM $$",
    );
    start.env = BTreeMap::from([("PORT".to_string(), "20000".to_string()), ("LANG".into(), "xx".into())]);
    keeper.start(start).await.unwrap();
    exit_of(&keeper, &id(1)).await;
    let lines = node.lines(&id(1));
    let has = |line: &str| assert!(lines.iter().any(|it| it == line), "{line} in {lines:#?}");
    has(&format!("ADSUM_CLUSTER={}", node.cluster()));
    has(&format!("ADSUM_INSTANCE={}", id(1)));
    has("PORT=20000");
    has("LANG=xx");
    has("umask 0022");
    has("core 0");
    has("SigBlk:\t0000000000000000");
    has("SigIgn:\t0000000000000000");
    has("NoNewPrivs:\t1");
    has("/dev/null");
    assert!(!lines.iter().any(|line| line.starts_with("CARGO")), "{lines:#?}");
    let workdir = fs::canonicalize(node.path("")).unwrap();
    has(&workdir.display().to_string());
}

#[tokio::test]
async fn a_child_has_the_standard_descriptors_only() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let process = keeper.start(node.script(&id(1), "exec sleep 1000")).await.unwrap();
    until("the shell has become sleep", || status_field(process.pid, "Name").as_deref() == Some("sleep"));
    // The loader has its libraries open for a moment; what was inherited stays.
    until("it has the standard descriptors only", || descriptors(process.pid) == ["0", "1", "2"]);
}

fn descriptors(pid: u32) -> Vec<String> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let mut open: Vec<String> = open.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    open.sort();
    open
}

#[tokio::test]
async fn what_cannot_start_says_why_and_leaves_nothing() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let with = |command: &[&str]| {
        let mut start = node.script(&id(1), "");
        start.command = command.iter().map(|word| word.to_string()).collect();
        start
    };
    let write = |name: &str, text: &str, mode: u32| {
        fs::write(node.path(name), text).unwrap();
        fs::set_permissions(node.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    write("plain", "#!/bin/sh\n", 0o644);
    write("lost", "#!/no/such/interpreter\n", 0o755);
    write("noise", "\u{1}\u{2}", 0o755);
    let mut nowhere = with(&["sh"]);
    nowhere.workdir = PathBuf::from("/no/such/dir");
    let mut misnamed = with(&["sh"]);
    misnamed.env = BTreeMap::from([("A=B".to_string(), String::new())]);
    let mut unlogged = with(&["sh"]);
    unlogged.log = "/proc/no/log".into();

    let cases = [
        (with(&[]), "the command is empty"),
        (with(&["no-such-program"]), "program 'no-such-program' was not found in PATH"),
        (with(&["./none"]), "program './none' does not exist"),
        (with(&["./plain"]), "program './plain' cannot be executed"),
        (with(&["./lost"]), "interpreter"),
        (with(&["./noise"]), "neither a program"),
        (with(&["/tmp"]), "is no file"),
        (with(&["sh", "a\0b"]), "argument 1"),
        (nowhere, "program 'sh' cannot start in '/no/such/dir'"),
        (misnamed, "environment variable 'A=B'"),
        (unlogged, "the log '/proc/no/log'"),
    ];
    for (start, expected) in cases {
        let error = keeper.start(start).await.expect_err(expected).to_string();
        assert!(error.contains(expected), "{error} / {expected}");
    }
    assert_eq!(keeper.list().await.unwrap(), []);
    assert_eq!(fs::read_dir(node.keeper_dir().join("instances")).unwrap().count(), 0);
    assert!(matches!(keeper.start(with(&["./none"])).await, Err(StartError::NoProgram { .. })));
}

#[tokio::test]
async fn shutdown_ends_everything_and_the_keeper() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let polite =
        keeper.start(node.script(&id(1), "trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done"));
    let polite = polite.await.unwrap();
    until("the trap is set", || node.lines(&id(1)) == ["up"]);
    let stubborn = keeper.start(node.script(&id(2), "trap '' TERM; echo up; while :; do sleep 0.01; done"));
    let stubborn = stubborn.await.unwrap();
    until("the trap is set", || node.lines(&id(2)) == ["up"]);
    let pid = keeper.pid();
    keeper.shutdown(Duration::from_millis(300)).await.unwrap();
    assert!(!lives(polite.pid) && !lives(stubborn.pid));
    assert!(node.marked(&id(1)).is_empty() && node.marked(&id(2)).is_empty());
    until("the keeper ends", || !lives(pid));
    assert!(matches!(keeper.list().await, Err(Error::ShutDown)));

    let next = node.keeper().await;
    assert!(matches!(state_of(&next, &id(1)).await, Some(State::Exited { status: ExitStatus::Code(0), .. })));
    assert!(matches!(
        state_of(&next, &id(2)).await,
        Some(State::Exited { status: ExitStatus::Signal(9), .. })
    ));
}

#[tokio::test]
async fn a_program_that_is_no_keeper_is_a_clear_error() {
    let node = Node::new();
    let mut config = node.config();
    config.program = "/no/such/keeper".into();
    let error = Keeper::connect_or_start(config.clone()).await.expect_err("no program").to_string();
    assert!(error.contains("/no/such/keeper cannot be started"), "{error}");
    config.program = "/bin/false".into();
    let error = Keeper::connect_or_start(config.clone()).await.expect_err("no keeper").to_string();
    assert!(error.contains("it ended without a word"), "{error}");
    config.program = "/bin/ls".into();
    let error = Keeper::connect_or_start(config).await.expect_err("no keeper").to_string();
    assert!(error.contains("it ended with '"), "{error}");
}

#[tokio::test]
async fn a_directory_of_another_cluster_is_refused() {
    let node = Node::new();
    let _keeper = node.keeper().await;
    let mut config = node.config();
    config.cluster = "abc".to_string();
    assert!(matches!(Keeper::connect_or_start(config).await, Err(Error::Cluster { .. })));
}

#[tokio::test]
async fn a_directory_with_a_long_path_has_a_keeper_too() {
    let node = Node::new();
    let mut config = node.config();
    config.dir = config.dir.join("x".repeat(200));
    let keeper = Keeper::connect_or_start(config).await.unwrap();
    assert_eq!(keeper.list().await.unwrap(), []);
    keeper.shutdown(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn an_idle_keeper_is_small_and_sleeps() {
    let node = Node::new();
    let keeper = node.keeper().await;
    for seed in 1..=5 {
        keeper.start(node.script(&id(seed), "exec sleep 1000")).await.unwrap();
    }
    keeper.list().await.unwrap();
    let rss: u64 = status_field(keeper.pid(), "VmRSS").unwrap().trim_end_matches(" kB").parse().unwrap();
    assert!(rss < 6 * 1024, "{rss} KiB");
    let switches = || status_field(keeper.pid(), "voluntary_ctxt_switches").unwrap();
    // Whoever wakes now and then never sleeps for so long; on a busy machine it comes to rest later.
    until("the keeper sleeps for half a second", || {
        let before = switches();
        std::thread::sleep(Duration::from_millis(500));
        before == switches()
    });
}

#[tokio::test]
async fn the_listener_of_an_instance_is_told_from_others() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut start = node.script(&id(1), "");
    // The process is this very test program, which listens when it is told a port.
    start.command = vec![
        env::current_exe().unwrap().display().to_string(),
        "--exact".into(),
        "lifecycle::listens_when_told".into(),
        "--nocapture".into(),
    ];
    start.env = BTreeMap::from([("LISTEN_ON".to_string(), port.to_string())]);
    keeper.start(start).await.unwrap();
    until("the instance listens", || listens(&[std::process::id()], port) == Listener::Foreign);
    let pids = keeper.pids(&id(1)).await.unwrap();
    assert_eq!(listens(&pids, port), Listener::Own);
    keeper.stop(&id(1), Signal::KILL, Duration::ZERO).await.unwrap();
    exit_of(&keeper, &id(1)).await;
    assert_eq!(listens(&pids, port), Listener::None);
}

#[test]
fn listens_when_told() {
    let Ok(port) = env::var("LISTEN_ON") else { return };
    let _listener = TcpListener::bind(("127.0.0.1", port.parse().unwrap())).unwrap();
    loop {
        std::thread::park();
    }
}
