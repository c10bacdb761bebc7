//! Work that others do meanwhile: 50 connections of SET and GET, as fast as they are served.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::Context;

/// `redis-benchmark` until it is dropped: one for each command, since it runs its commands one after the other.
pub(super) struct Background([Child; 2]);

impl Background {
    pub(super) fn start(address: SocketAddr) -> anyhow::Result<Background> {
        let [set, get] = ["set", "get"].map(|command| {
            Command::new("redis-benchmark")
                .args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()])
                .args(["-c", "25", "-n", "1000000000", "-r", "100000", "-d", "16", "-t", command, "-q"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .context("cannot run redis-benchmark (Debian: redis-tools)")
        });
        Ok(Background([set?, get?]))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // Both fail only when it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
