//! What instances write: floods, lines without an end, noise.

use std::fs;
use std::time::{Duration, Instant};

use adsum_runtime::{ExitStatus, Rotation, Signal, logs};

use crate::kit::*;

#[tokio::test]
async fn output_of_both_streams_is_logged_with_its_time() {
    let node = Node::new();
    let keeper = node.keeper().await;
    keeper.start(node.script(&id(1), "echo out; echo err >&2; printf 'no end'")).await.unwrap();
    exit_of(&keeper, &id(1)).await;
    assert_eq!(node.lines(&id(1)), ["out", "err", "no end"]);
    let text = fs::read_to_string(node.log(&id(1))).unwrap();
    assert!(text.ends_with("no end\n"));
    for line in text.lines() {
        let time = line.split(' ').next().unwrap();
        assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z'), "{line}");
    }
}

#[tokio::test]
async fn the_last_words_are_in_the_log_when_the_exit_is_told() {
    let node = Node::new();
    let keeper = node.keeper().await;
    for seed in 1..=20 {
        let script = "i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo line $i; done";
        keeper.start(node.script(&id(seed), script)).await.unwrap();
        exit_of(&keeper, &id(seed)).await;
        assert_eq!(node.lines(&id(seed)).last().map(String::as_str), Some("line 500"));
    }
}

#[tokio::test]
async fn a_flood_is_bounded_and_starves_nobody() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let rotation = Rotation { max_bytes: 200_000, keep: 1 };
    let floods = ["yes", "cat /dev/zero", "cat /dev/urandom", "yes '' "];
    for (seed, script) in (10..).zip(floods) {
        let mut start = node.script(&id(seed), script);
        start.rotation = rotation;
        keeper.start(start).await.unwrap();
    }
    keeper
        .start(node.script(&id(1), "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done"))
        .await
        .unwrap();
    let older = |seed| node.log(&id(seed)).with_extension("log.1");
    until("each flood has filled a log", || (10..14).all(|seed| older(seed).exists()));
    until("the quiet one is heard", || node.lines(&id(1)).len() > 20);
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let begun = Instant::now();
        keeper.list().await.unwrap();
        quickest = quickest.min(begun.elapsed());
    }
    assert!(quickest < Duration::from_secs(2), "{quickest:?}");
    for seed in 10..14 {
        for log in [node.log(&id(seed)), older(seed)] {
            let size = fs::metadata(&log).map(|metadata| metadata.len()).unwrap_or(0);
            assert!(size < rotation.max_bytes + 40_000, "{size}");
        }
        let files = fs::read_dir(node.path("")).unwrap().flatten();
        let own = files.filter(|file| file.file_name().to_string_lossy().starts_with(id(seed).as_str()));
        assert!(own.count() <= 2);
    }
    let peak: u64 = status_field(keeper.pid(), "VmHWM").unwrap().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 12 * 1024, "{peak} KiB");
    for seed in 10..14 {
        keeper.stop(&id(seed), Signal::TERM, GRACE).await.unwrap();
        assert_eq!(exit_of(&keeper, &id(seed)).await, ExitStatus::Signal(15));
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_written_costs_the_child_nothing() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let mut start =
        node.script(&id(1), "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line; done; exit 5");
    // A disk that is always full.
    start.log = node.path("full.log");
    std::os::unix::fs::symlink("/dev/full", &start.log).unwrap();
    keeper.start(start).await.unwrap();
    assert_eq!(exit_of(&keeper, &id(1)).await, ExitStatus::Code(5));
    assert_eq!(keeper.list().await.unwrap()[0].dropped, 100_000);
}

#[tokio::test]
async fn a_child_may_open_its_output_by_name() {
    let node = Node::new();
    let keeper = node.keeper().await;
    keeper.start(node.script(&id(1), "echo one > /dev/stdout; echo two > /proc/self/fd/2")).await.unwrap();
    exit_of(&keeper, &id(1)).await;
    assert_eq!(node.lines(&id(1)), ["one", "two"]);
}

#[tokio::test]
async fn the_tail_reaches_into_the_older_log() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let mut start = node.script(&id(1), "i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo $i; done; printf 31");
    start.rotation = Rotation { max_bytes: 600, keep: 1 };
    keeper.start(start).await.unwrap();
    exit_of(&keeper, &id(1)).await;
    let numbers = |lines: usize| -> Vec<u32> {
        let tail = logs::tail(&node.log(&id(1)), lines);
        tail.iter().map(|line| line.split_once(' ').unwrap().1.parse().unwrap()).collect()
    };
    assert!(numbers(0).is_empty());
    assert_eq!(numbers(3), [29, 30, 31]);
    assert_eq!(numbers(25), (7..=31).collect::<Vec<_>>());
    assert!(numbers(1000).len() >= 25);
    assert!(logs::tail(&node.path("none"), 5).is_empty());
}

#[tokio::test]
async fn a_follower_sees_every_line_over_a_rotation() {
    let node = Node::new();
    let keeper = node.keeper().await;
    let script = "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i; sleep 0.005; done";
    let mut start = node.script(&id(1), script);
    start.rotation = Rotation { max_bytes: 5_000, keep: 1 };
    let mut follow = logs::follow(&start.log, 10);
    keeper.start(start).await.unwrap();
    let mut seen: Vec<u32> = Vec::new();
    while seen.len() < 400 {
        let next = tokio::time::timeout(Duration::from_secs(20), follow.next()).await;
        let lines = next.expect("more lines").unwrap();
        seen.extend(lines.iter().map(|line| line.split_once(' ').unwrap().1.parse::<u32>().unwrap()));
    }
    assert_eq!(seen, (1..=400).collect::<Vec<_>>());
    assert!(node.log(&id(1)).with_extension("log.1").exists());
}
