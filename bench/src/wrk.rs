//! `wrk`, and what it says.

use std::process::Command;

use anyhow::Context;

/// What one load has come to.
pub(crate) struct Load {
    pub(crate) requests: f64,
    pub(crate) per_second: f64,
    /// Seconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Answers with another status than 2xx or 3xx, and broken connections.
    pub(crate) errors: f64,
}

/// Loads this address over so many connections that are kept, with these further arguments.
pub(crate) fn run(connections: u32, seconds: u32, more: &[&str], url: &str) -> anyhow::Result<Load> {
    let threads = if connections == 1 { "1" } else { "2" };
    let (connections, time) = (connections.to_string(), format!("{seconds}s"));
    let mut command = Command::new("wrk");
    command.args(["-t", threads, "-c", &connections, "-d", &time, "--latency"]).args(more).arg(url);
    let text = output(&mut command)?;
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

/// What a program that ends well has written.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
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
}
