//! `bench scale-up`: from the wish for more instances until all of them are found by name and get requests, and for
//! fewer until the last of the others has gone. The instances are small programs of the test kit that are asked for
//! their health over HTTP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use adsum_tests::http;
use anyhow::Context;

use crate::process::Process;
use crate::server::Server;
use crate::table::Table;

/// Instances before and after, and within which time that is meant to be done; what takes instances away has no goal,
/// since it waits for those who use them.
const STEPS: [(usize, usize, Option<Duration>); 5] = [
    (0, 2, None),
    (2, 20, Some(Duration::from_secs(1))),
    (20, 1, None),
    (1, 200, Some(Duration::from_secs(5))),
    (200, 2, None),
];

const POLL: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn run() -> anyhow::Result<()> {
    let server = Server::agent(&Server::agent_program()?, "always")?;
    let keeper = server.keeper().context("the agent has no keeper")?;
    let http = server.http().context("the server has no HTTP face")?;
    let program = instance()?;
    let command = program.to_str().context("the path of the build is no text")?;
    let wish = format!(
        r#"{{"command": ["{command}"], "replicas": 0, "check": {{"kind": "http", "path": "/healthz"}}}}"#
    );
    ask(http, "PUT", &wish)?;
    let mut table =
        Table::new(&["instances", "all routable after", "goal", "CPU agent", "CPU keeper", "load"]);
    for (before, after, goal) in STEPS {
        let of = [server.process(), keeper];
        let spent = cpu(of)?;
        let begin = Instant::now();
        ask(http, "PATCH", &format!(r#"{{"replicas": {after}}}"#))?;
        until(after, || Ok(routable(&ask(http, "GET", "")?)))?;
        let took = begin.elapsed();
        let now = cpu(of)?;
        let goal = goal.map_or("-".to_string(), |goal| verdict(took, goal));
        let spent = [0, 1].map(|at| format!("{:.2} s", (now[at] - spent[at]).as_secs_f64()));
        let [agent, keeper] = spent;
        table.row(vec![format!("{before} to {after}"), millis(took), goal, agent, keeper, load()]);
    }
    table.print();
    Ok(())
}

/// The program of the instances: built beside this one.
fn instance() -> anyhow::Result<PathBuf> {
    let beside = std::env::current_exe().context("cannot tell where the benchmark is")?.with_file_name("web");
    let there = Path::new(&beside).is_file();
    anyhow::ensure!(there, "{} is missing: cargo build --release -p adsum-tests --bin web", beside.display());
    Ok(beside)
}

fn ask(face: SocketAddr, method: &str, body: &str) -> anyhow::Result<String> {
    let answer =
        http::request(face, method, "/api/services/web", &[("Content-Type", "application/json")], body)?;
    anyhow::ensure!(answer.status < 300, "{method}: {} {}", answer.status, answer.body);
    Ok(answer.body)
}

/// How many get requests, when nothing else is left of the service.
fn routable(service: &str) -> Option<usize> {
    let count = |text: &str| service.matches(text).count();
    let passing = count(r#""phase":"running","health":"passing""#);
    let others =
        count(r#""phase":"planned""#) + count(r#""phase":"running""#) + count(r#""phase":"stopping""#);
    (others == passing).then_some(passing)
}

fn until(count: usize, mut level: impl FnMut() -> anyhow::Result<Option<usize>>) -> anyhow::Result<()> {
    let begin = Instant::now();
    while level()? != Some(count) {
        anyhow::ensure!(begin.elapsed() < PATIENCE, "waited {PATIENCE:?} for {count} instances");
        sleep(POLL);
    }
    Ok(())
}

fn cpu([agent, keeper]: [Process; 2]) -> anyhow::Result<[Duration; 2]> {
    Ok([agent.cpu()?, keeper.cpu()?])
}

fn verdict(took: Duration, goal: Duration) -> String {
    let missed = if took > goal { ": missed" } else { "" };
    format!("{}{missed}", millis(goal))
}

fn millis(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

/// How busy the machine was within the last minute.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_service_that_is_through_is_counted() {
        let passing = r#"{"phase":"running","health":"passing"}"#;
        let gone = r#"{"phase":"stopped","health":"draining"}"#;
        assert_eq!(routable(&format!("[{passing},{passing},{gone}]")), Some(2));
        for rest in [
            r#"{"phase":"running","health":"draining"}"#,
            r#"{"phase":"planned","health":"starting"}"#,
            r#"{"phase":"stopping","health":"draining"}"#,
        ] {
            assert_eq!(routable(&format!("[{passing},{rest}]")), None);
        }
    }

    #[test]
    fn a_goal_that_is_missed_says_so() {
        assert_eq!(verdict(Duration::from_millis(900), Duration::from_secs(1)), "1000 ms");
        assert_eq!(verdict(Duration::from_millis(1100), Duration::from_secs(1)), "1000 ms: missed");
    }
}
