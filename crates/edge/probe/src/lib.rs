//! Runs one health check once: [`probe`] that of an instance which runs here, [`look`] one that a client has registered.
//!
//! What is not here: when to probe, how many failures count, what becomes of the instance (`catalog` and `control`
//! decide), and whether the process lives (`runtime` knows).
//!
//! Invariants:
//! - A probe ends within the check's timeout, whatever the other side does, and leaves no process behind that it had
//!   to give up on.
//! - It connects to the target's own address only: no proxy is asked, and no redirect leads to another host.

mod command;
mod connect;
mod docker;
mod grpc;
mod http;
mod outcome;
mod tcp;
mod udp;
mod user;
mod web;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use adsum_model::registered::{Definition, Kind};
use adsum_model::{Check, CheckKind};

pub use outcome::{OUTPUT_LIMIT, Outcome, Status};

/// What is probed.
#[derive(Clone, Debug)]
pub struct Target {
    pub endpoint: SocketAddr,
    /// For commands: over `PATH`, `HOME`, `LANG`, `TZ` and `USER` of this process, and nothing else.
    pub env: BTreeMap<String, String>,
    /// For commands.
    pub workdir: PathBuf,
}

/// Probes once. A timeout is critical, and so is everything that keeps the check from being made.
pub async fn probe(check: &Check, target: &Target) -> Outcome {
    match &check.kind {
        CheckKind::Http { path } => http::probe(path, target.endpoint, check.timeout).await,
        CheckKind::Tcp => tcp::probe(target.endpoint, check.timeout).await,
        CheckKind::Command { command } => command::probe(command, target, check.timeout).await,
        CheckKind::Process => Outcome::new(Status::Passing, "the process runs"),
    }
}

/// Probes once what a client has registered. None of a check that is not made by looking.
pub async fn look(definition: &Definition) -> Option<Outcome> {
    let timeout = definition.timeout;
    Some(match &definition.kind {
        Kind::Http(http) => web::probe(http, timeout).await,
        Kind::Tcp { address, tls } => tcp::reach(address, tls, timeout).await,
        Kind::Udp { address } => udp::probe(address, timeout).await,
        Kind::Grpc { address, service, tls } => grpc::probe(address, service, tls, timeout).await,
        Kind::H2Ping { address, tls } => grpc::ping(address, tls, timeout).await,
        Kind::Script { arguments } => command::probe(arguments, &here(), timeout).await,
        Kind::Docker { container, shell, arguments } => {
            docker::probe(container, shell, arguments, timeout).await
        }
        Kind::Told | Kind::Ttl(_) | Kind::Alias { .. } | Kind::Maintenance => return None,
    })
}

/// A program that is no instance's begins at the root, with nothing of its own in its environment.
fn here() -> Target {
    Target { endpoint: ([127, 0, 0, 1], 0).into(), env: BTreeMap::new(), workdir: "/".into() }
}
