//! `adsum agent`: everything of one node in one process.
//!
//! [`Settings`] is what was asked for, from flags, environment, file and defaults; [`Node`] is what runs; `life` is what
//! happens to it from outside.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

use adsum_api::Monitor;
use adsum_model::Name;
use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, reload};

use life::Origin;
use takeover::Successor;

mod config;
mod dns;
pub(crate) mod faces;
mod gateway;
mod ground;
mod identity;
mod life;
mod node;
mod settings;
mod sockets;
mod takeover;
mod told;
mod vitals;

pub(crate) use faces::Faces;
pub(crate) use node::{Addresses, Node};
pub(crate) use settings::Settings;
pub(crate) use sockets::Given;
pub(crate) use told::ToldToEnd;

const EXAMPLES: &str = "Examples:
  adsum agent --dev
  adsum agent --data-dir /var/lib/adsum --node one
  adsum agent --config /etc/adsum.toml --resp-addr 127.0.0.1:7000
  adsum agent --data-dir /var/lib/adsum --node one --takeover

A setting is taken from its flag, else from its environment variable, else from the configuration file, else it
has its default.";

/// Run the agent of this machine
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Keep everything in a temporary directory (or in --data-dir), and stop the instances at the end
    #[arg(long)]
    pub(crate) dev: bool,
    /// Where the journal, the logs and the data of the instances are kept
    #[arg(long, value_name = "DIR", env = "ADSUM_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Read settings from a file
    #[arg(long, value_name = "FILE.toml", env = "ADSUM_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The name of this machine [default: its host name]
    #[arg(long, value_name = "NAME", env = "ADSUM_NODE")]
    pub(crate) node: Option<Name>,
    /// The datacenter that this machine is in [default: dc1]
    #[arg(long, value_name = "NAME", env = "ADSUM_DATACENTER")]
    pub(crate) datacenter: Option<Name>,
    #[command(flatten)]
    pub(crate) faces: Faces,
    #[command(flatten)]
    pub(crate) gateway: gateway::GatewayFlags,
    #[command(flatten)]
    pub(crate) dns: dns::DnsFlags,
    /// Allow faces on other addresses than loopback, where there is neither TLS nor a token yet
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Tell Redis clients of a cluster of this one node: for those that are set up for a cluster
    #[arg(long)]
    pub(crate) resp_cluster: bool,
    /// Let checks that clients register through HTTP start programs: whoever reaches that face may then run anything
    #[arg(long)]
    pub(crate) enable_script_checks: bool,
    /// Take over from the agent that runs on the same data, without a request being lost
    #[arg(long)]
    pub(crate) takeover: bool,
    /// Whether a write waits for the disk [default: always]
    #[arg(long, value_enum, env = "ADSUM_DURABILITY")]
    pub(crate) durability: Option<Durability>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durability {
    /// What was acknowledged is on disk
    Always,
    /// Visible at once, on disk within a second
    Everysec,
}

/// Runs until it is told to end, or can no longer keep its word.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    log_to_stderr("info");
    let successor = Successor::of_this_process()?;
    let takes_over = args.takeover;
    let mut settings = Settings::resolve(args)?;
    let origin = if takes_over { Origin::Takeover } else { Origin::Fresh(Given::of_systemd()?) };
    if let Origin::Fresh(given) = &origin {
        settings.adopt(given)?;
    }
    gateway::afford(&mut settings.gateway.limits, allow_many_clients());
    runtime()?.block_on(life::live(settings, origin, successor))
}

/// Raises the limit of open files as far as the agent's own limits of clients need it. Instances inherit it, so it is not
/// raised to whatever is allowed. Returns the limit.
fn allow_many_clients() -> u64 {
    const FILES: u64 = 65_536;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return FILES };
    let wanted = FILES.min(hard);
    if soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_err() {
        tracing::warn!(
            limit = soft,
            "the limit of open files cannot be raised: clients beyond it are turned away"
        );
        return soft;
    }
    soft.max(wanted)
}

/// The control runtime: one thread for the controllers, HTTP and DNS. The RESP face has its own.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime can be made")
}

/// A process has one log, and so one place where others listen to it.
static MONITOR: LazyLock<Monitor> = LazyLock::new(Monitor::default);

/// Logs go to standard error, from the level in `ADSUM_LOG` on, or from `level`.
pub(crate) fn log_to_stderr(level: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("ADSUM_LOG").unwrap_or_else(|_| level.into());
    let colours =
        std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none();
    let stderr = tracing_subscriber::fmt::layer()
        .with_ansi(colours)
        .with_target(false)
        .with_writer(std::io::stderr)
        .with_filter(filter);
    let (wanted, level) = reload::Layer::new(LevelFilter::OFF);
    // The one that governs is as old as the process.
    MONITOR.govern(move |wanted| drop(level.modify(|level| *level = wanted)));
    tracing_subscriber::registry().with(stderr).with(MONITOR.clone().with_filter(wanted)).init();
}
