//! dnsperf, and what it says.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use super::server::Named;

/// What one run has shown.
#[derive(Debug, PartialEq)]
pub(super) struct Run {
    pub(super) per_second: f64,
    /// The server's processor time for one query.
    pub(super) cpu: Duration,
    pub(super) lost: u64,
}

/// Asks all questions over and over, from 8 sockets with 100 queries under way together.
pub(super) fn run_dnsperf(server: &Named, questions: &Path, time: Duration) -> anyhow::Result<Run> {
    let before = server.cpu()?;
    let mut command = Command::new("dnsperf");
    command.args(["-s", "127.0.0.1", "-p", &server.address.port().to_string(), "-c", "8", "-q", "100"]);
    command.args(["-T", "1", "-l", &time.as_secs().to_string(), "-d"]).arg(questions);
    let output = command.output().context("cannot run dnsperf: apt-get install dnsperf")?;
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    anyhow::ensure!(
        output.status.success(),
        "dnsperf has failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let spent = server.cpu()?.saturating_sub(before);
    let (per_second, completed, lost) = read(&report).with_context(|| format!("dnsperf says:\n{report}"))?;
    Ok(Run { per_second, cpu: spent.div_f64(completed.max(1.0)), lost })
}

fn read(report: &str) -> Option<(f64, f64, u64)> {
    let number = |label: &str| {
        let line = report.lines().find_map(|line| line.trim().strip_prefix(label))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    let lost = number("Queries lost:")? as u64;
    Some((number("Queries per second:")?, number("Queries completed:")?, lost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let report = "  Queries sent:         1000\n  Queries completed:    990 (99.00%)\n\
                      \x20 Queries lost:         10 (1.00%)\n\n  Queries per second:   330.5\n";
        assert_eq!(read(report), Some((330.5, 990.0, 10)));
        assert_eq!(read("nothing"), None);
    }
}
