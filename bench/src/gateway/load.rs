//! One load: `wrk` for HTTP/1.1, `h2load` for HTTP/2.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Context;

use super::case::{Case, Protocol};
use super::peer::Peer;
use crate::wrk::{self, Load, output};

pub(super) fn run(case: &Case, peer: &Peer, seconds: u32) -> anyhow::Result<Load> {
    match case.protocol {
        Protocol::Http1 | Protocol::Http1Close => wrk(case, peer.http1(), seconds),
        Protocol::H2c => h2load(case, peer.h2c(), seconds),
    }
}

fn wrk(case: &Case, address: SocketAddr, seconds: u32) -> anyhow::Result<Load> {
    let close: &[&str] =
        if case.protocol == Protocol::Http1Close { &["-H", "Connection: close"] } else { &[] };
    wrk::run(case.at_once, seconds, close, &format!("http://{address}{}", case.path()))
}

fn h2load(case: &Case, address: SocketAddr, seconds: u32) -> anyhow::Result<Load> {
    let log = tempfile::NamedTempFile::new()?;
    let (connections, streams) = case.streams();
    let threads = connections.min(2).to_string();
    let mut command = Command::new("h2load");
    command.args(["-t", &threads, "-c", &connections.to_string(), "-m", &streams.to_string()]);
    command.args(["-D", &seconds.to_string(), "--warm-up-time", "0", "--log-file"]).arg(log.path());
    let text = output(command.arg(format!("http://{address}{}", case.path())))?;
    let log = std::fs::read_to_string(log.path())?;
    of_h2load(&text, &log).with_context(|| format!("not the words of h2load: {text}"))
}

/// From h2load's report and its log, whose lines are `begin, status, microseconds`.
fn of_h2load(text: &str, log: &str) -> Option<Load> {
    let line = text.lines().find_map(|line| line.strip_prefix("requests:"))?;
    let count = |label: &str| {
        let part = line.split(',').find(|part| part.trim_end().ends_with(label))?;
        part.split_whitespace().next()?.parse::<f64>().ok()
    };
    let finished = text.lines().find_map(|line| line.strip_prefix("finished in"))?;
    let rate = finished.split(',').find_map(|part| part.trim().strip_suffix(" req/s"))?;
    let micros = |line: &str| line.split('\t').nth(2)?.trim().parse::<f64>().ok();
    let mut latencies: Vec<f64> = log.lines().filter_map(micros).collect();
    latencies.sort_by(f64::total_cmp);
    let quantile = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).map(|it| it * 1e-6);
    let requests = count("succeeded")?;
    let status = text.lines().find_map(|line| line.strip_prefix("status codes:"))?;
    let good = status.split_whitespace().next()?.parse::<f64>().ok()?;
    Some(Load {
        requests,
        per_second: rate.parse().ok()?,
        p50: quantile(0.5)?,
        p99: quantile(0.99)?,
        errors: count("failed")? + (requests - good).max(0.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_h2load_are_understood() {
        let text = "\
finished in 1.00s, 4000.00 req/s, 1.03MB/s
requests: 4000 total, 4000 started, 4000 done, 3999 succeeded, 1 failed, 0 errored, 0 timeout
status codes: 3998 2xx, 0 3xx, 1 4xx, 0 5xx
";
        let log = "1\t200\t100\n1\t200\t300\n1\t200\t200\n1\t200\t400\n";
        let load = of_h2load(text, log).unwrap();
        assert_eq!((load.requests, load.per_second, load.errors), (3999.0, 4000.0, 2.0));
        assert_eq!((load.p50 * 1e6).round(), 300.0);
    }
}
