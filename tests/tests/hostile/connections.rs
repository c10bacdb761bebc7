//! More connections than there are descriptors.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use adsum_tests::{http, require, until_ok};
use nix::sys::stat::Mode;

use crate::meters::cpu_in_a_second;
use crate::raw::Client;
use crate::world::World;

const SOON: Duration = Duration::from_secs(20);

/// A program that starts the agent with 256 descriptors.
fn with_few_descriptors(scratch: &adsum_tests::Scratch) -> std::path::PathBuf {
    let path = scratch.path().join("adsum-256");
    let program = adsum_tests::program::adsum();
    let script = format!("#!/bin/sh\nexec prlimit --nofile=256:256 {} \"$@\"\n", program.display());
    // By a child, so that no descriptor of ours is open for writing when it is executed.
    adsum_tests::running::run(std::process::Command::new("tee").arg(&path), script.as_bytes(), SOON).ok();
    let mode = Mode::S_IRWXU;
    nix::sys::stat::fchmodat(nix::fcntl::AT_FDCWD, &path, mode, nix::sys::stat::FchmodatFlags::FollowSymlink)
        .unwrap();
    path
}

fn descriptors(pid: i32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

fn crowd(world: &World) -> Vec<TcpStream> {
    (0..600).map(|_| TcpStream::connect(world.gateway()).unwrap()).collect()
}

/// When its clients have gone, the gateway serves others.
#[track_caller]
fn recovers(world: &World, crowd: Vec<TcpStream>) {
    drop(crowd);
    until_ok("others are served again", SOON, || {
        let answer = http::request(world.gateway(), "GET", "/again", &[("Host", "a.example")], "");
        match answer {
            Ok(answer) if answer.status == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

/// The gateway takes no more clients than there are descriptors for, so that nobody else is short of them: the other
/// faces, the probes, whoever starts an instance.
#[test]
fn clients_of_the_gateway_leave_descriptors_for_everybody_else() {
    if !require("prlimit") {
        return;
    }
    let scratch = adsum_tests::Scratch::new();
    let program = with_few_descriptors(&scratch);
    let world = World::with("", |builder| builder.program(&program));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", world.agent_pid())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert!(files.contains("256"), "{files}");
    let crowd = crowd(&world);
    let mut last = Client::connect(world.gateway());
    let full = last.answer();
    assert_eq!((full.status, full.header("x-gateway-error")), (503, Some("connections-full")));
    assert!(full.header("retry-after").is_some());
    for _ in 0..20 {
        let face = http::get(world.agent.http(), "/v1/status/leader");
        assert_eq!(face.expect("the HTTP face is served").status, 200);
    }
    assert_eq!(world.agent.redis_cli(&["SET", "a", "1"]).ok(), "OK");
    let begin = Instant::now();
    world.agent.adsum(&["service", "scale", "recorder=3"]).ok();
    assert!(begin.elapsed() < Duration::from_secs(15), "it took {:?}", begin.elapsed());
    recovers(&world, crowd);
}

/// Descriptors run out all the same: the limit was lowered from outside.
#[test]
fn without_descriptors_nothing_spins_and_all_is_well_when_they_are_back() {
    if !require("prlimit") {
        return;
    }
    let world = World::start();
    let pid = world.agent_pid();
    let few = format!("--nofile={}", descriptors(pid) + 40);
    let mut prlimit = std::process::Command::new("prlimit");
    adsum_tests::running::run(prlimit.args(["--pid", &pid.to_string(), &few]), b"", SOON).ok();
    let crowd = crowd(&world);
    until_ok("accepting fails", SOON, || {
        let log = world.agent.log();
        if log.contains("cannot accept a client of the gateway") {
            Ok(())
        } else {
            Err("it goes on".to_string())
        }
    });
    let busy = cpu_in_a_second(pid);
    println!("{} descriptors used, {busy:?} of processor time in a second", descriptors(pid));
    assert!(busy < Duration::from_millis(500), "{busy:?} of a second");
    recovers(&world, crowd);
}
