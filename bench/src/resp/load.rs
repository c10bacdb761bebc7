//! One run of `redis-benchmark`.

use std::fmt;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::Context;

const CONNECTIONS: &str = "50";
/// Different keys of a run, so that a server does not live from one cache line.
const KEYS: &str = "100000";
/// Requests without pipeline: enough for about a second, so that start and end of a run and the clock tick of 10 ms weigh
/// little.
const ALONE: usize = 100_000;

/// What a lock is given back with by most libraries.
const RELEASE: &str =
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";
/// Stands for the SHA1 of [`RELEASE`].
const RELEASE_SHA: &str = "RELEASE";

/// A command that is sent again and again.
#[derive(Clone, Copy)]
pub(super) struct Work {
    name: &'static str,
    words: &'static [&'static str],
    /// Requests with a pipeline: enough for one to two seconds.
    piped: usize,
    /// It takes away what `LOCK` makes.
    unlocks: bool,
}

const fn work(name: &'static str, words: &'static [&'static str], piped: usize) -> Work {
    Work { name, words, piped, unlocks: false }
}

pub(super) const SET: Work = work("SET", &["SET", "key:__rand_int__", "xxxxxxxxxxxxxxxx"], 800_000);
pub(super) const LOCK: Work =
    work("SET NX PX", &["SET", "lock:__rand_int__", "xxxxxxxxxxxxxxxx", "NX", "PX", "30000"], 400_000);
pub(super) const WORKS: [Work; 11] = [
    SET,
    work("GET", &["GET", "key:__rand_int__"], 800_000),
    work("INCR", &["INCR", "counter:__rand_int__"], 800_000),
    work("LPUSH", &["LPUSH", "list", "xxxxxxxxxxxxxxxx"], 400_000),
    work("RPOP", &["RPOP", "list"], 400_000),
    work("HSET", &["HSET", "hash", "field:__rand_int__", "xxxxxxxxxxxxxxxx"], 400_000),
    work("ZADD", &["ZADD", "ranks", "__rand_int__", "member:__rand_int__"], 400_000),
    LOCK,
    Work { unlocks: true, ..work("DEL of a lock", &["DEL", "lock:__rand_int__"], 400_000) },
    Work {
        unlocks: true,
        ..work(
            "EVALSHA of a release",
            &["EVALSHA", RELEASE_SHA, "1", "lock:__rand_int__", "xxxxxxxxxxxxxxxx"],
            200_000,
        )
    },
    work("PUBLISH", &["PUBLISH", "news", "xxxxxxxxxxxxxxxx"], 400_000),
];

#[derive(Clone, Copy)]
pub(super) struct Load {
    work: Work,
    pub(super) pipeline: usize,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, pipeline {}", self.work.name, self.pipeline)
    }
}

impl Load {
    /// Each of these with each of these pipelines.
    pub(super) fn all(works: &[Work], pipelines: &[usize]) -> Vec<Load> {
        let piped = |pipeline: usize| works.iter().map(move |work| Load { work: *work, pipeline });
        pipelines.iter().flat_map(|pipeline| piped(*pipeline)).collect()
    }

    pub(super) fn requests(&self) -> usize {
        if self.pipeline == 1 { ALONE } else { self.work.piped }
    }

    /// What has to be there before it is measured.
    pub(super) fn prepare(&self, address: SocketAddr) -> anyhow::Result<()> {
        match self.work.unlocks {
            true => Load { work: LOCK, pipeline: 16 }.run(address).map(drop),
            false => Ok(()),
        }
    }

    /// Requests per second.
    pub(super) fn run(&self, address: SocketAddr) -> anyhow::Result<f64> {
        let mut command = program("redis-benchmark", address);
        command.args(["-c", CONNECTIONS, "-r", KEYS, "-P", &self.pipeline.to_string()]);
        command.args(["-n", &self.requests().to_string(), "--csv"]);
        for word in self.work.words {
            match *word {
                RELEASE_SHA => command.arg(load_script(address)?),
                word => command.arg(word),
            };
        }
        let text = run(&mut command)?;
        // It ends at the first error that the server answers, so a rate is one of work that was done.
        rate(&text).with_context(|| format!("{self}: no rate in {text}"))
    }
}

fn load_script(address: SocketAddr) -> anyhow::Result<String> {
    Ok(run(program("redis-cli", address).args(["SCRIPT", "LOAD", RELEASE]))?.trim().to_string())
}

fn program(name: &str, address: SocketAddr) -> Command {
    let mut command = Command::new(name);
    command.args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()]);
    command
}

fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?} (Debian: redis-tools)"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{command:?} ended with {}: {text}{errors}", output.status);
    Ok(text)
}

/// From the last line, `"SET key:__rand_int__ x","61349.70","0.722",...`.
fn rate(csv: &str) -> Option<f64> {
    let mut columns = csv.trim_end().lines().next_back()?.split("\",\"");
    columns.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_the_second_column_of_the_last_line() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\"\n\"SET a x\",\"61349.70\",\"0.722\"\n";
        assert_eq!(rate(csv), Some(61349.7));
        assert_eq!(rate("\"test\",\"rps\",\"avg_latency_ms\"\n"), None);
        assert_eq!(rate(""), None);
    }

    #[test]
    fn every_command_is_sent_with_every_pipeline() {
        let loads = Load::all(&WORKS, &[1, 16]);
        assert_eq!(loads.len(), 22);
        assert_eq!((loads[0].to_string(), loads[0].requests()), ("SET, pipeline 1".to_string(), 100_000));
        assert_eq!((loads[11].to_string(), loads[11].requests()), ("SET, pipeline 16".to_string(), 800_000));
    }
}
