//! What Adsum tells every instance it starts, in the environment.
//!
//! By hand everything but `PORT` has a default, so `PORT=8000 chirp api` works without Adsum.

use std::env::var;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;

pub struct Environment {
    /// `HOST` and `PORT`: where to listen. A service without a port, as reader and worker are, never asks.
    host: String,
    port: Option<String>,
    /// `ADSUM_HTTP_ADDR`: deployment and discovery.
    pub http: String,
    /// `ADSUM_RESP_ADDR`: coordination, by any Redis client.
    pub resp: String,
    /// `ADSUM_SERVICE`: the name this instance was deployed under; empty by hand.
    pub service: String,
    /// `ADSUM_INSTANCE`: this one running copy, the same after a restart.
    pub instance: String,
    /// `ADSUM_DATA_DIR`: kept over restarts and replacements.
    pub data_dir: PathBuf,
    /// `CHIRP_USER`: set by the worker that deployed this user's service; empty by hand.
    pub user: String,
}

impl Environment {
    pub fn read() -> anyhow::Result<Environment> {
        Ok(Environment {
            host: or("HOST", "127.0.0.1"),
            port: var("PORT").ok(),
            http: or("ADSUM_HTTP_ADDR", "127.0.0.1:8500"),
            resp: or("ADSUM_RESP_ADDR", "127.0.0.1:6379"),
            service: or("ADSUM_SERVICE", ""),
            instance: or("ADSUM_INSTANCE", &format!("by-hand-{}", std::process::id())),
            data_dir: or("ADSUM_DATA_DIR", ".").into(),
            user: or("CHIRP_USER", ""),
        })
    }

    /// Where this instance listens. Port 0 means any free one, as everywhere.
    pub fn listen(&self) -> anyhow::Result<SocketAddr> {
        let port = self.port.as_ref().context("PORT is not set: Adsum sets it, by hand say PORT=8000")?;
        let port = port.parse().with_context(|| format!("PORT '{port}' is not a port"))?;
        let host = self.host.parse().with_context(|| format!("HOST '{}' is not an IP address", self.host))?;
        Ok(SocketAddr::new(host, port))
    }
}

fn or(name: &str, default: &str) -> String {
    var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_string())
}
