//! py-consul, and the package consul of npm, with a service to find.

use adsum_tests::Agent;
use adsum_tests::libraries::Language::{self, JavaScript, Python};
use adsum_tests::libraries::program;
use adsum_tests::running::run;

use crate::PATIENCE;

#[track_caller]
fn check(language: Language, name: &str) {
    let agent = Agent::start();
    let Some(mut program) = program(language, name) else { return };
    let create =
        ["service", "create", "--name", "web", "--update-monitor", "0s", "--wait-timeout", "30s", "--"];
    agent.adsum(&[&create[..], &[env!("CARGO_BIN_EXE_web")]].concat()).ok();
    program
        .env("CONSUL_HTTP_ADDR", agent.http().to_string())
        .env("REDIS_URL", format!("redis://{}", agent.resp()));
    let told = run(&mut program, b"", PATIENCE).ok();
    println!("{told}");
    assert!(!told.is_empty(), "{name} did nothing");
}

#[test]
fn py_consul_locks_watches_and_finds() {
    check(Python, "py_consul.py");
}

#[test]
fn consul_of_npm_locks_watches_and_finds() {
    check(JavaScript, "consul.cjs");
}
