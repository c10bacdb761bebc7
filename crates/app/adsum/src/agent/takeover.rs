//! Taking over from a running agent on the same data, and being taken over from. What may be done at which step is decided
//! in `core/takeover`; here it is done.

mod give;
mod points;
mod predecessors;
mod retire;
mod successor;
mod take;
mod words;

pub(super) use give::{Given, visit};
pub(super) use predecessors::Predecessors;
pub(super) use retire::retire;
pub(super) use successor::Successor;
pub(super) use take::take;

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use adsum_takeover::{Hello, PROTOCOL};
use anyhow::Context as _;

use super::Settings;

/// What this process says of itself.
fn hello(settings: &Settings) -> anyhow::Result<Hello> {
    let dir = settings.data_dir.path();
    let version = env!("CARGO_PKG_VERSION").to_string();
    Ok(Hello { protocol: protocol(), version, node: settings.node.clone(), data: identity(&dir)? })
}

/// Of builds for tests the environment may say another one.
fn protocol() -> u32 {
    let said = if points::ARMED { std::env::var("ADSUM_TAKEOVER_PROTOCOL").ok() } else { None };
    said.and_then(|said| said.parse().ok()).unwrap_or(PROTOCOL)
}

/// By whatever path it is reached.
fn identity(dir: &Path) -> anyhow::Result<(u64, u64)> {
    let metadata = std::fs::metadata(dir);
    let metadata =
        metadata.with_context(|| format!("cannot look at the data directory {}", dir.display()))?;
    Ok((metadata.dev(), metadata.ino()))
}
