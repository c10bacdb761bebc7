//! `bench discovery [CASE]`: how soon everybody knows that an instance has gone, and what it costs that many wait to hear of
//! it, or that many are looked at. Each case prints a table with its goals.

mod answer;
mod blocked;
mod checks;
mod connection;
mod propagation;

use std::net::SocketAddr;

use adsum_tests::http;
use anyhow::Context;

use crate::cases::{self, Case};
use crate::server::Server;

/// What is acknowledged is on disk.
const DURABILITY: &str = "always";

const CASES: [Case; 3] =
    [("propagation", propagation::run), ("blocked", blocked::run), ("checks", checks::run)];

pub(crate) fn run(words: &[&str]) -> anyhow::Result<()> {
    cases::run("discovery", &CASES, words)
}

/// An agent, and where its HTTP face is.
fn agent() -> anyhow::Result<(Server, SocketAddr)> {
    let server = Server::agent(&Server::agent_program()?, DURABILITY)?;
    let http = server.http().context("an agent has this face")?;
    Ok((server, http))
}

fn put(http: SocketAddr, path: &str, body: &str) -> anyhow::Result<()> {
    let headers = [("Content-Type", "application/json")];
    let answer = http::request(http, "PUT", path, &headers, body)?;
    anyhow::ensure!(answer.status < 300, "PUT {path}: {} {}", answer.status, answer.body);
    Ok(())
}

/// Registers one place of a service that has no check.
fn register(http: SocketAddr, service: &str, instance: usize, port: u16) -> anyhow::Result<()> {
    let body = format!(
        r#"{{"ID": "{service}-{instance}", "Name": "{service}", "Address": "127.0.0.1", "Port": {port}}}"#
    );
    put(http, "/v1/agent/service/register", &body)
}

fn deregister(http: SocketAddr, id: &str) -> anyhow::Result<()> {
    put(http, &format!("/v1/agent/service/deregister/{id}"), "")
}
