//! The power goes while clients write: every acknowledged write is there when it is back.
//!
//! Redis is stopped in the moment before: what it is doing in the kernel goes on, but it acknowledges nothing after the
//! cut, as when the power really goes. That is only fair: the filesystem's shutdown is not one moment for everybody, and a
//! sync that runs meanwhile may be reported done without being so. The agent notices that, and is stopped every other
//! time only.

use std::path::Path;
use std::time::Duration;

use adsum_tests::redis::Redis;
use adsum_tests::{Agent, require, rounds, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::filesystem::Filesystem;
use crate::load::{Load, Tally};

const SOON: Duration = Duration::from_secs(30);

/// Not always at the same moment.
fn enough(round: u32) -> u64 {
    100 + (u64::from(round) * 7919) % 1500
}

#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    let Some(mut filesystem) = Filesystem::mount(256) else { return };
    let mut agent = Agent::builder().data_dir(&filesystem.data()).start();
    let (mut load, mut total, count) = (Load::new(), Tally::default(), rounds(4, 200));
    for round in 0..count {
        let power = filesystem.arm();
        load.during(agent.resp(), |progress| {
            progress.wait_for(enough(round));
            if round % 2 == 0 {
                agent.signal(Signal::SIGSTOP);
            }
            power.cut();
            agent.kill9();
        });
        filesystem.remount();
        agent.restart();
        total += load.check(agent.resp());
        assert_eq!((total.lost, total.invented), (0, 0), "in round {round}");
    }
    println!("{count} power cuts: {total:?}");
    agent.kill9();
}

/// Whether the journal in this data directory is writing a snapshot.
fn is_writing_a_snapshot(data: &Path) -> bool {
    let mut names = std::fs::read_dir(data.join("journal"))
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.any(|name| name.ends_with(".snap.tmp"))
}

#[test]
fn a_power_cut_during_a_snapshot_loses_nothing_acknowledged() {
    if !adsum_journal::points::ARMED {
        println!("SKIPPED: this build takes snapshots too seldom");
        return;
    }
    let Some(mut filesystem) = Filesystem::mount(512) else { return };
    let sizes = [("ADSUM_SNAPSHOT_BYTES", "100000"), ("ADSUM_SEGMENT_BYTES", "1000000")];
    let builder = Agent::builder().data_dir(&filesystem.data());
    let mut agent = sizes.iter().fold(builder, |builder, (key, value)| builder.env(key, value)).start();
    // Large, so that a snapshot takes its time.
    let (mut load, mut total, count) = (Load::of_bytes(20_000), Tally::default(), rounds(3, 100));
    for round in 0..count {
        let power = filesystem.arm();
        load.during(agent.resp(), |progress| {
            progress.wait_for(100);
            let data = filesystem.data();
            until("a snapshot is being written", SOON, || is_writing_a_snapshot(&data).then_some(()));
            if round % 2 == 0 {
                agent.signal(Signal::SIGSTOP);
            }
            power.cut();
            agent.kill9();
        });
        filesystem.remount();
        agent.restart();
        total += load.check(agent.resp());
        assert_eq!((total.lost, total.invented), (0, 0), "in round {round}");
    }
    println!("{count} power cuts during a snapshot: {total:?}");
    agent.kill9();
}

/// The same cuts for a store whose behaviour is known: what it acknowledged, and what of it is gone.
fn redis(filesystem: &mut Filesystem, policy: &str, count: u32) -> Tally {
    let dir = filesystem.at();
    let args = ["--appendonly", "yes", "--appendfsync", policy, "--dir", dir.to_str().unwrap()];
    let (mut load, mut total) = (Load::new(), Tally::default());
    for round in 0..count {
        let (server, power) = (Redis::start(&args), filesystem.arm());
        let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap());
        load.during(server.address(), |progress| {
            progress.wait_for(enough(round));
            kill(pid, Signal::SIGSTOP).unwrap();
            power.cut();
            drop(server);
        });
        filesystem.remount();
        total += load.check(Redis::start(&args).address());
    }
    println!("Redis, appendfsync {policy}, {count} power cuts: {total:?}");
    total
}

/// The control: the harness takes away what was not synced, and nothing that was.
#[test]
fn a_power_cut_takes_what_redis_has_not_synced_and_leaves_what_it_has() {
    if !require("redis-server") {
        return;
    }
    let Some(mut filesystem) = Filesystem::mount(256) else { return };
    let every_second = redis(&mut filesystem, "everysec", rounds(2, 20));
    assert!(every_second.lost > 0, "{every_second:?}");
    drop(filesystem);
    let Some(mut filesystem) = Filesystem::mount(256) else { return };
    let always = redis(&mut filesystem, "always", rounds(2, 20));
    assert_eq!((always.lost, always.invented), (0, 0));
}
