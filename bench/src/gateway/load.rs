//! One load: `wrk` for HTTP/1.1, `h2load` for HTTP/2.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Context;

use super::case::{Case, Protocol};
use super::peer::Peer;

/// What one load has come to.
pub(super) struct Load {
    pub(super) requests: f64,
    pub(super) per_second: f64,
    /// Seconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// Answers with another status than 2xx or 3xx, and broken connections.
    pub(super) errors: f64,
}

pub(super) fn run(case: &Case, peer: &Peer, seconds: u32) -> anyhow::Result<Load> {
    match case.protocol {
        Protocol::Http1 | Protocol::Http1Close => wrk(case, peer.http1(), seconds),
        Protocol::H2c => h2load(case, peer.h2c(), seconds),
    }
}

fn wrk(case: &Case, address: SocketAddr, seconds: u32) -> anyhow::Result<Load> {
    let threads = if case.at_once == 1 { "1" } else { "2" };
    let mut command = Command::new("wrk");
    command.args(["-t", threads, "-c", &case.at_once.to_string(), "-d", &format!("{seconds}s"), "--latency"]);
    if case.protocol == Protocol::Http1Close {
        command.args(["-H", "Connection: close"]);
    }
    let text = output(command.arg(format!("http://{address}{}", case.path())))?;
    of_wrk(&text).with_context(|| format!("not the words of wrk: {text}"))
}

/// From wrk's report.
fn of_wrk(text: &str) -> Option<Load> {
    let after = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label));
    let word = |label: &str| after(label)?.split_whitespace().next();
    let done = text.lines().find(|line| line.contains(" requests in "))?;
    let failed = after("Non-2xx or 3xx responses:").map_or(Some(0.0), |count| count.trim().parse().ok())?;
    let broken = after("Socket errors:").map_or(0.0, |line| {
        let numbers = line.split([',', ' ']).filter_map(|word| word.parse::<f64>().ok());
        numbers.sum()
    });
    Some(Load {
        requests: done.split_whitespace().next()?.parse().ok()?,
        per_second: word("Requests/sec:")?.parse().ok()?,
        p50: seconds(word("50%")?)?,
        p99: seconds(word("99%")?)?,
        errors: failed + broken,
    })
}

/// `1.25ms` in seconds.
fn seconds(text: &str) -> Option<f64> {
    let unit = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let factor = match &text[unit..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Some(text[..unit].parse::<f64>().ok()? * factor)
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

fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{command:?}: {text}{errors}");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRK: &str = "\
Running 1s test @ http://127.0.0.1:8080/small
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.13ms    1.02ms  21.00ms   90.08%
    Req/Sec    31.05k     2.77k   36.33k    71.43%
  Latency Distribution
     50%    0.89ms
     75%    1.36ms
     90%  990.00us
     99%    4.51ms
  64886 requests in 1.10s, 13.49MB read
  Socket errors: connect 0, read 3, write 0, timeout 1
  Non-2xx or 3xx responses: 5
Requests/sec:  58990.34
Transfer/sec:     12.26MB
";

    #[test]
    fn the_words_of_wrk_are_understood() {
        let load = of_wrk(WRK).unwrap();
        assert_eq!((load.requests, load.per_second, load.errors), (64886.0, 58990.34, 9.0));
        assert_eq!([load.p50, load.p99].map(|it| (it * 1e6).round()), [890.0, 4510.0]);
        assert!(of_wrk("unable to connect").is_none());
    }

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
