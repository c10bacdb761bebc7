//! `bench discovery propagation`: from the end of a process, or from the sending of a deregistration, until nobody is told
//! of that instance any more: who asks over HTTP again and again, who asks by DNS again and again, and who has asked with
//! a blocking query and waits.
//!
//! One of them asks at a time, on a connection that is kept and once each millisecond, so that it is not itself what the
//! agent waits for: the figures of the first two have that millisecond and the time of a question in them.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::answer::passing;
use super::connection::{Connection, Resolver};
use super::{agent, deregister, put, register};
use crate::latencies::Latencies;
use crate::process::Process;
use crate::rounds::duration;
use crate::server::Server;
use crate::table::Table;

const ROUNDS: usize = 100;
const INSTANCES: usize = 3;
const GOAL: f64 = 20e-3;
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);
/// Between two questions of who asks again and again.
const ASK: Duration = Duration::from_millis(1);

#[derive(Clone, Copy)]
enum Who {
    Http,
    Dns,
    Blocked,
}

const ASKING: [(Who, &str); 3] = [(Who::Http, "HTTP"), (Who::Dns, "DNS"), (Who::Blocked, "blocked query")];

pub(super) fn run() -> anyhow::Result<()> {
    let mut table = Table::new(&["from", "until it is gone from", "p50", "p99", "longest", "goal", "met"]);
    let stage = Stage::start()?;
    for (who, name) in ASKING {
        let latencies = stage.rounds(who, "web", |_| stage.kill_one())?;
        table.row(row(&["kill -9 of an instance", name], latencies));
    }
    for (who, name) in ASKING {
        let latencies = stage.rounds(who, "api", |round| stage.deregister_one(round))?;
        table.row(row(&["its deregistration", name], latencies));
    }
    table.print();
    println!("\n{ROUNDS} rounds each, {INSTANCES} instances, durability always");
    Ok(())
}

fn row(words: &[&str; 2], mut latencies: Latencies) -> Vec<String> {
    let [p50, p99, _, longest] = latencies.quantiles();
    let figures = [p50, p99, longest].map(duration);
    let met = if p99 < GOAL { "yes" } else { "**no**" };
    let goal = ["p99 < 20 ms", met].map(str::to_string);
    words.map(str::to_string).into_iter().chain(figures).chain(goal).collect()
}

struct Stage {
    server: Server,
    http: SocketAddr,
    dns: SocketAddr,
}

impl Stage {
    /// An agent that runs the service `web`; of `api` the instances are registered.
    fn start() -> anyhow::Result<Stage> {
        let (server, http) = agent()?;
        let dns = server.dns().context("an agent has this face")?;
        let program = std::env::current_exe()?.with_file_name("web");
        anyhow::ensure!(program.is_file(), "{} is missing: cargo build -p adsum-tests", program.display());
        let wish = format!(
            r#"{{"command": ["{}"], "replicas": {INSTANCES}, "update": {{"monitor": "0s"}},
                "restart": {{"condition": "any", "delay": "10ms", "max_delay": "10ms", "max_attempts": 1000000}}}}"#,
            program.to_str().context("the path of the build is no text")?
        );
        put(http, "/api/services/web", &wish)?;
        (0..INSTANCES).try_for_each(|instance| register(http, "api", instance, 80))?;
        Ok(Stage { server, http, dns })
    }

    /// Has one instance go, again and again, and takes the time until this one knows it.
    fn rounds(
        &self,
        who: Who,
        service: &str,
        end_one: impl Fn(usize) -> anyhow::Result<Instant> + Sync,
    ) -> anyhow::Result<Latencies> {
        let mut latencies = Latencies::with_room(ROUNDS);
        for round in 0..ROUNDS {
            let index = self.until_all_are_there(service)?;
            let known = std::thread::scope(|scope| {
                let asking = scope.spawn(|| self.ask_until_gone(who, service, index));
                // In which a question is on its way, and the blocked one waits.
                sleep(POLL * 10);
                let begin = end_one(round)?;
                let end = asking.join().expect("it returns its errors")?;
                Ok::<Duration, anyhow::Error>(end.saturating_duration_since(begin))
            })?;
            latencies.add(known);
        }
        self.until_all_are_there(service)?;
        Ok(latencies)
    }

    /// Returns the index of that.
    fn until_all_are_there(&self, service: &str) -> anyhow::Result<u64> {
        let (begin, mut connection) = (Instant::now(), Connection::open(self.http)?);
        if service == "api" {
            (0..INSTANCES).try_for_each(|instance| register(self.http, "api", instance, 80))?;
        }
        loop {
            let answer = connection.get(&format!("/v1/health/service/{service}?passing"))?;
            if answer.entries() == INSTANCES {
                return Ok(answer.index);
            }
            anyhow::ensure!(begin.elapsed() < PATIENCE, "only {} of {service} pass", answer.entries());
            sleep(POLL);
        }
    }

    /// When it was first told of fewer.
    fn ask_until_gone(&self, who: Who, service: &str, mut index: u64) -> anyhow::Result<Instant> {
        let mut connection = Connection::open(self.http)?;
        let resolver = Resolver::open(self.dns, service)?;
        loop {
            let left = match who {
                Who::Http => connection.get(&format!("/v1/health/service/{service}?passing"))?.entries(),
                Who::Dns => resolver.count()?,
                Who::Blocked => {
                    let answer = connection.exchange(&passing(service, index))?;
                    index = answer.index;
                    answer.entries()
                }
            };
            if left < INSTANCES {
                return Ok(Instant::now());
            }
            if !matches!(who, Who::Blocked) {
                sleep(ASK);
            }
        }
    }

    /// When it was killed.
    fn kill_one(&self) -> anyhow::Result<Instant> {
        let folder = self.server.folder().to_string_lossy().into_owned();
        let all = Process::mentioning(&folder).into_iter();
        let instance =
            all.filter(|process| process.args().first().is_some_and(|word| word.ends_with("/web")));
        let instance = instance.min_by_key(|process| process.pid).context("no instance runs")?;
        let begin = Instant::now();
        instance.kill();
        Ok(begin)
    }

    /// When it was asked for.
    fn deregister_one(&self, round: usize) -> anyhow::Result<Instant> {
        let begin = Instant::now();
        deregister(self.http, &format!("api-{}", round % INSTANCES))?;
        Ok(begin)
    }
}
