//! Instances that take more than they may.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use adsum_model::{Controller, Limits, Resource, Ulimit};
use adsum_runtime::{ExitStatus, Keeper, Signal, Start, StartError, State, TreeKind};

use crate::kit::*;

/// A keeper, when it can hold instances to limits of this kind.
async fn limiting(node: &Node, controller: Controller) -> Option<Keeper> {
    let keeper = node.keeper().await;
    let has = keeper.offer().controllers.contains(&controller);
    if !has {
        println!("SKIPPED: no {controller} controller here");
    }
    has.then_some(keeper)
}

fn limited(start: Start, limits: Limits) -> Start {
    Start { limits, ..start }
}

/// Doubles a text until there is no memory left for it, which with 4 KiB to begin with is soon.
const GLUTTON: &str = "x=$(head -c 4096 /dev/zero | tr '\\0' x); while :; do x=$x$x; done";

async fn oom_of(keeper: &Keeper, seed: u64) -> Option<bool> {
    exit_of(keeper, &id(seed)).await;
    match state_of(keeper, &id(seed)).await {
        Some(State::Exited { oom, .. }) => oom,
        Some(State::Running { .. }) | None => None,
    }
}

#[tokio::test]
async fn who_takes_more_memory_than_allowed_is_ended_and_named_and_others_live() {
    let node = Node::new();
    let Some(keeper) = limiting(&node, Controller::Memory).await else { return };
    let limits = Limits { memory: Some(32 << 20), ..Limits::default() };
    let neighbour = keeper.start(limited(node.script(&id(1), "exec sleep 1000"), limits)).await.unwrap();
    let begun = Instant::now();
    keeper.start(limited(node.script(&id(2), GLUTTON), limits)).await.unwrap();
    assert_eq!(exit_of(&keeper, &id(2)).await, ExitStatus::Signal(9));
    println!("killed and known after {:?}", begun.elapsed());
    assert_eq!(oom_of(&keeper, 2).await, Some(true));
    assert!(lives(neighbour.pid));
    keeper.stop(&id(1), Signal::KILL, Duration::ZERO).await.unwrap();
    assert_eq!(oom_of(&keeper, 1).await, Some(false), "a kill by somebody is no want of memory");
}

/// The control: what ends the glutton is its limit.
#[tokio::test]
async fn the_same_appetite_within_the_limit_ends_nobody() {
    let node = Node::new();
    let Some(keeper) = limiting(&node, Controller::Memory).await else { return };
    let script =
        "x=$(head -c 4096 /dev/zero | tr '\\0' x); for i in 1 2 3 4 5 6 7 8; do x=$x$x; done; exit 7";
    let limits = Limits { memory: Some(32 << 20), ..Limits::default() };
    keeper.start(limited(node.script(&id(1), script), limits)).await.unwrap();
    assert_eq!(exit_of(&keeper, &id(1)).await, ExitStatus::Code(7));
    assert_eq!(oom_of(&keeper, 1).await, Some(false));
}

/// Generations of a bomb that nobody holds back: 2^8 - 1 processes.
const GENERATIONS: u32 = 8;

/// The process is this very test program, which multiplies when it is told to.
fn bomb(node: &Node, seed: u64) -> Start {
    let mut start = node.script(&id(seed), "");
    let program = env::current_exe().unwrap().display().to_string();
    let words = ["--exact", "limits::multiplies_when_told", "--nocapture", "--test-threads", "1"];
    start.command = [program].into_iter().chain(words.map(String::from)).collect();
    start.env = BTreeMap::from([("GENERATIONS".to_string(), GENERATIONS.to_string())]);
    start
}

#[test]
fn multiplies_when_told() {
    let Ok(generations) = env::var("GENERATIONS") else { return };
    let left = generations.parse::<u32>().unwrap() - 1;
    let again = || {
        let copy = Command::new(env::current_exe().unwrap())
            .args(env::args().skip(1))
            .env("GENERATIONS", left.to_string())
            .spawn();
        if copy.is_err() {
            fs::write("refused", "").unwrap();
        }
        copy
    };
    let _copies: Vec<_> = if left == 0 { Vec::new() } else { vec![again(), again()] };
    loop {
        std::thread::park();
    }
}

async fn most_pids(keeper: &Keeper, seed: u64, mut enough: impl FnMut(usize) -> bool) -> usize {
    let mut most = 0;
    let begun = Instant::now();
    while !enough(most) {
        most = most.max(keeper.pids(&id(seed)).await.unwrap().len());
        assert!(begun.elapsed() < GRACE, "{most}");
    }
    most
}

#[tokio::test]
async fn a_fork_bomb_stays_within_its_limit_and_goes_whole() {
    let node = Node::new();
    let Some(keeper) = limiting(&node, Controller::Pids).await else { return };
    let limits = Limits { pids: Some(100), ..Limits::default() };
    keeper.start(limited(bomb(&node, 1), limits)).await.unwrap();
    let most = most_pids(&keeper, 1, |_| node.path("refused").exists()).await;
    assert!(most <= 100, "{most}");
    // A child of this very process: the machine has room for others.
    assert!(Command::new("true").status().unwrap().success());
    let begun = Instant::now();
    keeper.stop(&id(1), Signal::KILL, Duration::ZERO).await.unwrap();
    exit_of(&keeper, &id(1)).await;
    println!("{most} processes at most, gone after {:?}", begun.elapsed());
    assert!(node.marked(&id(1)).is_empty());
}

/// The control: without its limit the bomb is larger than that.
#[tokio::test]
async fn the_same_bomb_without_a_limit_is_larger_and_goes_whole() {
    let node = Node::new();
    let keeper = node.keeper().await;
    keeper.start(bomb(&node, 1)).await.unwrap();
    most_pids(&keeper, 1, |most| most > 100).await;
    assert!(!node.path("refused").exists());
    keeper.stop(&id(1), Signal::KILL, Duration::ZERO).await.unwrap();
    exit_of(&keeper, &id(1)).await;
    assert!(node.marked(&id(1)).is_empty());
}

/// Processor time of all that a process has waited for and itself, in ticks of 10 ms.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<u64> =
        rest.split_ascii_whitespace().skip(11).take(2).map(|n| n.parse().unwrap()).collect();
    fields.iter().sum()
}

#[tokio::test]
async fn a_busy_instance_gets_no_more_of_the_processor_than_allowed() {
    let node = Node::new();
    let Some(keeper) = limiting(&node, Controller::Cpu).await else { return };
    let limits = Limits { cpu: Some(100), ..Limits::default() };
    let process = keeper.start(limited(node.script(&id(1), "while :; do :; done"), limits)).await.unwrap();
    let begun = Instant::now();
    until("it has had 100 ms of the processor", || ticks(process.pid) >= 10);
    // A tenth of it in periods of 100 ms: 100 ms take nine periods at least.
    assert!(begun.elapsed() >= Duration::from_millis(700), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_adopted_instance_keeps_its_limits_and_its_groups_go_with_it() {
    let node = Node::new();
    let Some(keeper) = limiting(&node, Controller::Memory).await else { return };
    let limits = Limits { memory: Some(32 << 20), ..Limits::default() };
    let script = format!("while [ ! -e eat ]; do sleep 0.01; done; {GLUTTON}");
    let process = keeper.start(limited(node.script(&id(1), &script), limits)).await.unwrap();
    let (old, mut changes) = (keeper.pid(), keeper.changes());
    kill_9(old);
    while keeper.pid() == old {
        changes.changed().await.unwrap();
    }
    assert_eq!(process_of(&keeper, &id(1)).await.as_ref(), Some(&process));
    let record = fs::read_to_string(node.record(&id(1))).unwrap();
    let groups: Vec<String> =
        record.split('"').filter(|text| text.contains("/adsum-")).map(str::to_string).collect();
    assert!(groups.iter().all(|group| fs::exists(group).unwrap()) && !groups.is_empty(), "{groups:?}");
    fs::write(node.path("eat"), "").unwrap();
    assert_eq!(oom_of(&keeper, 1).await, Some(true), "which only the group can tell of an adopted one");
    keeper.forget(&id(1)).await.unwrap();
    assert!(!groups.iter().any(|group| fs::exists(group).unwrap()), "{groups:?}");
}

#[tokio::test]
async fn a_limit_that_cannot_be_kept_is_refused_and_nothing_runs() {
    let node = Node::with_tree(Some(TreeKind::ProcessGroup));
    let keeper = node.keeper().await;
    assert!(keeper.offer().controllers.is_empty());
    let limits = Limits { pids: Some(5), ..Limits::default() };
    let error = keeper.start(limited(node.script(&id(1), "touch ran"), limits)).await.unwrap_err();
    assert!(matches!(error, StartError::Limit { controller: Controller::Pids, .. }), "{error}");
    assert!(error.to_string().contains("limit on pids cannot be kept"), "{error}");
    assert_eq!(state_of(&keeper, &id(1)).await, None);
    assert!(!node.path("ran").exists());
    keeper.start(node.script(&id(1), "touch ran")).await.unwrap();
    exit_of(&keeper, &id(1)).await;
    assert!(node.path("ran").exists());
}

#[tokio::test]
async fn a_process_gets_its_ulimits_and_no_core_files_unless_asked_for() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let script = "ulimit -Sn; ulimit -Hn; ulimit -c";
    let mut start = node.script(&id(1), script);
    start.ulimits.insert(Resource::Nofile, Ulimit { soft: 64, hard: 128 });
    keeper.start(start.clone()).await.unwrap();
    exit_of(&keeper, &id(1)).await;
    assert_eq!(node.lines(&id(1)), ["64", "128", "0"]);
    start.id = id(2);
    start.log = node.log(&id(2));
    start.ulimits.insert(Resource::Core, Ulimit { soft: 0, hard: 4096 });
    start.command[2] = "ulimit -Hc".to_string();
    keeper.start(start).await.unwrap();
    exit_of(&keeper, &id(2)).await;
    assert_eq!(node.lines(&id(2)), ["8"], "in blocks of 512 bytes");
}

/// With no room beside the standard three and a library, whatever the keeper's child opens under it would fail.
#[tokio::test]
async fn a_tight_limit_on_open_files_is_the_programs_alone() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let mut start = node.script(&id(1), "ulimit -n");
    start.ulimits.insert(Resource::Nofile, Ulimit { soft: 4, hard: 64 });
    keeper.start(start).await.unwrap();
    exit_of(&keeper, &id(1)).await;
    assert_eq!(node.lines(&id(1)), ["4"]);
}
