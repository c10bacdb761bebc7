//! The configuration file.
//!
//! ```toml
//! node = "one"
//! data_dir = "/var/lib/adsum"
//! durability = "always"
//! resp_addr = "127.0.0.1:6379"
//! resp_cluster = false
//! http_addr = "127.0.0.1:8500"
//! dns_addr = "127.0.0.1:8600"
//! port_range = "20000-32000"
//! session_ttl_multiplier = 2
//! ```
//!
//! A section is described in its own file: [`dns`](super::dns), [`gateway`](super::gateway).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use adsum_model::Name;
use anyhow::Context;

use super::{Durability, dns, gateway};

/// What a file may say; each of it is optional, and nothing else may stand in it.
#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub(super) node: Option<Name>,
    pub(super) datacenter: Option<Name>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) durability: Option<Durability>,
    pub(super) insecure: Option<bool>,
    pub(super) enable_script_checks: Option<bool>,
    pub(super) resp_addr: Option<SocketAddr>,
    pub(super) resp_cluster: Option<bool>,
    pub(super) http_addr: Option<SocketAddr>,
    pub(super) dns_addr: Option<SocketAddr>,
    pub(super) port_range: Option<String>,
    /// By how much the TTL of a Consul session is multiplied: 1 is exact, 2 what Consul does.
    pub(super) session_ttl_multiplier: Option<u32>,
    #[serde(default)]
    pub(super) dns: dns::Section,
    #[serde(default)]
    pub(super) gateway: gateway::Section,
}

impl Config {
    pub(super) fn read(file: &Path) -> anyhow::Result<Config> {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the configuration file {}", file.display()))?;
        toml::from_str(&text)
            .with_context(|| format!("cannot understand the configuration file {}", file.display()))
    }
}
