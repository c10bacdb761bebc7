//! One run of `redis-benchmark`.

use std::fmt;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::Context;

const CONNECTIONS: &str = "50";
/// Different keys of a run, so that a server does not live from one cache line.
const KEYS: &str = "100000";
/// Bytes of a value.
const SIZE: &str = "16";

pub(super) struct Load {
    command: &'static str,
    pipeline: usize,
    /// Enough for one to two seconds, so that start and end of a run and the clock tick of 10 ms weigh little.
    pub(super) requests: usize,
}

pub(super) const LOADS: [Load; 6] = [
    Load { command: "SET", pipeline: 1, requests: 100_000 },
    Load { command: "GET", pipeline: 1, requests: 100_000 },
    Load { command: "INCR", pipeline: 1, requests: 100_000 },
    Load { command: "SET", pipeline: 16, requests: 800_000 },
    Load { command: "GET", pipeline: 16, requests: 800_000 },
    Load { command: "INCR", pipeline: 16, requests: 800_000 },
];

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, pipeline {}", self.command, self.pipeline)
    }
}

impl Load {
    /// Requests per second.
    pub(super) fn run(&self, address: SocketAddr) -> anyhow::Result<f64> {
        let (pipeline, requests) = (self.pipeline.to_string(), self.requests.to_string());
        let output = Command::new("redis-benchmark")
            .args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()])
            .args(["-c", CONNECTIONS, "-r", KEYS, "-d", SIZE, "-P", &pipeline, "-n", &requests])
            .args(["-t", &self.command.to_lowercase(), "--csv"])
            .output()
            .context("cannot run redis-benchmark (Debian: redis-tools)")?;
        let text = String::from_utf8_lossy(&output.stdout);
        // It ends at the first error that the server answers, so a rate is one of work that was done.
        anyhow::ensure!(output.status.success(), "{self}: {text}{}", String::from_utf8_lossy(&output.stderr));
        rate(&text, self.command).with_context(|| format!("{self}: no rate in {text}"))
    }
}

/// From the line `"SET","61349.70","0.722",...`.
fn rate(csv: &str, command: &str) -> Option<f64> {
    let begin = format!("\"{command}\",\"");
    let line = csv.lines().find_map(|line| line.strip_prefix(&begin))?;
    line.split('"').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_the_second_column_of_the_commands_line() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\"\n\"SET\",\"61349.70\",\"0.722\"\n";
        assert_eq!(rate(csv, "SET"), Some(61349.7));
        assert_eq!(rate(csv, "GET"), None);
    }
}
