//! `bench rollout`: the same service, the same updates and the same load under Adsum and under Docker Swarm behind
//! HAProxy. What is compared is what callers see: requests that fail, how long it takes, p99 before and meanwhile; and how
//! soon twenty instances answer where there were two.
//!
//! The instances are one program that ends at once when it is told to. Swarm is measured once more with instances that go
//! on for five seconds then, which is what its users do about it.

mod adsum;
mod containers;
mod dockerd;
mod haproxy;
mod swarm;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use adsum_tests::backend::Entries;
use adsum_tests::http;
use adsum_tests::load::Plan;
use adsum_tests::traffic::{Account, Traffic};
use anyhow::Context;

use self::adsum::Adsum;
use self::swarm::Swarm;
use crate::rounds::{Rounds, duration};
use crate::table::Table;

const HELP: &str = "\
rollout takes

  --rounds N     updates in a row under load, 3 if it is not said
  --rate N       requests per second, 100 if it is not said
  --peers A,B    some of adsum, swarm, swarm-lingering

Swarm needs root, docker.io, haproxy and busybox-static of Debian, and a machine without another Docker: it is started
with directories of its own and without iptables. What cannot be started is left out, with the reason.";

const HOST: &str = "web.local";
const REPLICAS: usize = 3;
const SCALED: [usize; 2] = [2, 20];
/// Nothing here takes longer; what does is a finding, not a reason to hang.
const PATIENCE: Duration = Duration::from_secs(180);
/// From the last change to the end of the load: what comes late is seen too.
const AFTER: u64 = 200;
const POLL: Duration = Duration::from_millis(5);

/// Somebody who deploys and routes.
trait Orchestrator {
    fn entrance(&self) -> SocketAddr;
    /// Replaces all instances by those of a new version, and returns when it says that this is done.
    fn update(&self, version: u32) -> anyhow::Result<()>;
    /// Returns when it is asked for, whether or not it is done.
    fn scale(&self, replicas: usize) -> anyhow::Result<()>;
    /// What the instances have written.
    fn entries(&self) -> Entries;
}

type Start = fn() -> anyhow::Result<Box<dyn Orchestrator>>;

const PEERS: [(&str, Start); 3] = [
    ("adsum", || Ok(Box::new(Adsum::start()?))),
    ("swarm", || Ok(Box::new(Swarm::start(Duration::ZERO)?))),
    ("swarm-lingering", || Ok(Box::new(Swarm::start(Duration::from_secs(5))?))),
];

struct Settings {
    rounds: u32,
    rate: u32,
    peers: Vec<(&'static str, Start)>,
}

/// What was measured of one.
struct Figures {
    name: &'static str,
    account: Account,
    doubled: usize,
    scaled: Duration,
    load: String,
}

pub(crate) fn run(words: &[&str]) -> anyhow::Result<()> {
    let settings = parse(words).with_context(|| HELP)?;
    let mut all = Vec::new();
    for (name, start) in &settings.peers {
        eprintln!("{name}");
        match measure(name, *start, &settings) {
            Ok(figures) => all.push(figures),
            Err(error) => eprintln!("{name} is left out: {error:#}"),
        }
    }
    anyhow::ensure!(!all.is_empty(), "nobody could be measured");
    print(&all, &settings);
    Ok(())
}

fn measure(name: &'static str, start: Start, settings: &Settings) -> anyhow::Result<Figures> {
    let load = load_average();
    let peer = start()?;
    answering(&*peer, REPLICAS)?;
    let entrance = peer.entrance();
    let mut traffic = Traffic::to(|kind, rate| Plan::new(entrance, HOST, rate).name(kind), settings.rate);
    traffic.go_on_for(u64::from(settings.rate) * 2);
    for round in 1..=settings.rounds {
        eprintln!("  update {round}");
        traffic.during("update", || peer.update(round))?;
    }
    traffic.go_on_for(AFTER);
    let account = traffic.stop();
    eprintln!("{account}");
    let doubled = peer.entries().posts().values().filter(|times| **times > 1).count();
    let scaled = scale(&*peer)?;
    Ok(Figures { name, account, doubled, scaled, load: format!("{load} to {}", load_average()) })
}

/// How long it takes from the wish until so many answer.
fn scale(peer: &dyn Orchestrator) -> anyhow::Result<Duration> {
    let [few, many] = SCALED;
    peer.scale(few)?;
    until("only a few answer", || Ok(names(peer, 4 * REPLICAS)?.len() == few))?;
    let begin = Instant::now();
    peer.scale(many)?;
    answering(peer, many)?;
    Ok(begin.elapsed())
}

/// Waits until so many different instances answer.
fn answering(peer: &dyn Orchestrator, count: usize) -> anyhow::Result<()> {
    until(&format!("{count} instances answer"), || Ok(names(peer, 6 * count)?.len() >= count))
}

/// Who answers so many requests.
fn names(peer: &dyn Orchestrator, requests: usize) -> anyhow::Result<std::collections::BTreeSet<String>> {
    let ask = |_| {
        let answer = http::request(peer.entrance(), "GET", "/", &[("Host", HOST)], "").ok()?;
        answer.header("x-backend").map(str::to_string)
    };
    Ok((0..requests).filter_map(ask).collect())
}

fn until(what: &str, mut level: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let begin = Instant::now();
    while !level()? {
        anyhow::ensure!(begin.elapsed() < PATIENCE, "waited {PATIENCE:?} until {what}");
        std::thread::sleep(POLL);
    }
    Ok(())
}

fn print(all: &[Figures], settings: &Settings) {
    let Settings { rounds, rate, .. } = settings;
    println!(
        "\n{rounds} updates of {REPLICAS} instances, start-first, one at a time, {rate} requests per second\n"
    );
    let heads: Vec<&str> = ["what"].into_iter().chain(all.iter().map(|it| it.name)).collect();
    let mut table = Table::new(&heads);
    let mut row = |what: &str, cell: &dyn Fn(&Figures) -> String| {
        table.row([what.to_string()].into_iter().chain(all.iter().map(cell)).collect());
    };
    row("requests", &|it| it.account.total().to_string());
    row("failed", &|it| it.account.failures().len().to_string());
    row("POST carried out more than once", &|it| it.doubled.to_string());
    row("one update, median (longest)", &|it| {
        let lasted =
            |change: &adsum_tests::traffic::Change| (change.when.end - change.when.start).as_secs_f64();
        let rounds = Rounds::of(it.account.changes().iter().map(lasted));
        format!("{} ({})", duration(rounds.median()), duration(rounds.largest()))
    });
    row("p99 before", &|it| duration(it.account.before().quantile(0.99).as_secs_f64()));
    row("p99 during the updates", &|it| duration(it.account.during().quantile(0.99).as_secs_f64()));
    row(&format!("scale {} to {}: all answer after", SCALED[0], SCALED[1]), &|it| {
        duration(it.scaled.as_secs_f64())
    });
    row("load average", &|it| it.load.clone());
    table.print();
}

fn parse(words: &[&str]) -> anyhow::Result<Settings> {
    let mut settings = Settings { rounds: 3, rate: 100, peers: PEERS.to_vec() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} wants a value"));
        match *word {
            "--rounds" => settings.rounds = value()?.parse().context("--rounds wants a number")?,
            "--rate" => settings.rate = value()?.parse().context("--rate wants a number")?,
            "--peers" => settings.peers = value()?.split(',').map(peer).collect::<Result<_, _>>()?,
            other => anyhow::bail!("no option {other}"),
        }
    }
    anyhow::ensure!(settings.rounds > 0 && settings.rate > 0, "nothing would be measured");
    Ok(settings)
}

fn peer(name: &str) -> anyhow::Result<(&'static str, Start)> {
    PEERS.into_iter().find(|(peer, _)| *peer == name).with_context(|| format!("no peer is called {name:?}"))
}

/// Of the last minute.
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_chosen_by_their_names() {
        let settings = parse(&["--peers", "swarm,adsum", "--rounds", "2"]).unwrap();
        assert_eq!((settings.rounds, settings.peers.len()), (2, 2));
        assert_eq!(settings.peers[0].0, "swarm");
        assert!(parse(&["--peers", "kubernetes"]).is_err() && parse(&["--rounds", "0"]).is_err());
    }
}
