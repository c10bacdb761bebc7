//! Client libraries that people use, at their ordinary work against the real binary: each program in `tests/clients/`
//! does it and asserts what it gets. `docs/guide/redis.md` has the table of them. Those of Redis also run against
//! redis-server where that is there: what a program asserts is what Redis does.
//!
//! Beside them whole programs that find services by Consul's API, by DNS and by http_sd: Traefik, HAProxy, Prometheus.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod cluster;
mod consul;
mod haproxy;
mod javascript;
mod prometheus;
mod python;
mod redis_crate;
mod traefik;

use std::net::SocketAddr;
use std::time::Duration;

use adsum_tests::libraries::{Language, program};
use adsum_tests::redis::Redis;
use adsum_tests::running::run;
use adsum_tests::{Agent, require};

/// A program's own waits are far shorter.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs the program against the agent and against Redis: it ends well with both, after the same steps.
#[track_caller]
fn check(language: Language, name: &str) {
    let agent = Agent::start();
    let Some(told) = run_at(agent.resp(), language, name) else { return };
    println!("{told}");
    assert!(!told.is_empty(), "{name} did nothing");
    if require("redis-server") {
        let redis = Redis::start(&[]);
        assert_eq!(run_at(redis.address(), language, name), Some(told));
    }
}

/// What the program says that it has done; nothing when its libraries are missing.
#[track_caller]
fn run_at(address: SocketAddr, language: Language, name: &str) -> Option<String> {
    let mut program = program(language, name)?;
    let output = run(program.env("REDIS_URL", format!("redis://{address}")), b"", PATIENCE);
    Some(output.ok())
}
