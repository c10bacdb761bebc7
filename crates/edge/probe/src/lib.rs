//! Runs one health check once.
//!
//! What is not here: when to probe, how many failures count, what becomes of the instance (`catalog` and `control`
//! decide), and whether the process lives (`runtime` knows).
//!
//! Invariants:
//! - A probe ends within the check's timeout, whatever the other side does, and leaves no process behind that it had
//!   to give up on.
//! - It connects to the target's own address only: no redirect is followed, no proxy is asked.

mod command;
mod http;
mod outcome;
mod tcp;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

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
