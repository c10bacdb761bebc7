//! `adsum agent`: everything of one node in one process.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;

use adsum_model::Name;

const EXAMPLES: &str = "Examples:
  adsum agent --dev
  adsum agent --data-dir /var/lib/adsum --node one
  adsum agent --config /etc/adsum.toml --resp-addr 127.0.0.1:7000

A setting is taken from its flag, else from its environment variable, else from the configuration file, else it
has its default.";

/// Run the agent of this machine
#[derive(Debug, clap::Args)]
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
    /// Whether a write waits for the disk [default: always]
    #[arg(long, value_enum, env = "ADSUM_DURABILITY")]
    pub(crate) durability: Option<Durability>,
}

/// The addresses that the outside speaks to, of the agent and of the demonstration.
#[derive(Debug, clap::Args)]
pub(crate) struct Faces {
    /// Where Redis clients are served [default: 127.0.0.1:6379]
    #[arg(long, value_name = "ADDRESS", env = "ADSUM_RESP_ADDR")]
    pub(crate) resp_addr: Option<SocketAddr>,
    /// Where HTTP clients are served [default: 127.0.0.1:8500]
    #[arg(long, value_name = "ADDRESS", env = "ADSUM_HTTP_ADDR")]
    pub(crate) http_addr: Option<SocketAddr>,
    /// Where DNS is answered, over UDP and TCP [default: 127.0.0.1:8600]
    #[arg(long, value_name = "ADDRESS", env = "ADSUM_DNS_ADDR")]
    pub(crate) dns_addr: Option<SocketAddr>,
    /// The ports that instances are given [default: 20000-32000]
    #[arg(long, value_name = "FROM-TO", env = "ADSUM_PORT_RANGE", value_parser = port_range)]
    pub(crate) port_range: Option<RangeInclusive<u16>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Durability {
    /// What was acknowledged is on disk
    Always,
    /// Visible at once, on disk within a second
    Everysec,
}

pub(crate) fn run(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not wired yet")
}

fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let range = text.split_once('-').and_then(|(from, to)| Some(from.parse().ok()?..=to.parse().ok()?));
    let range = range.filter(|range| *range.start() > 0 && !range.is_empty());
    range.ok_or_else(|| "write it like 20000-32000".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_range_goes_up_from_at_least_one() {
        assert_eq!(port_range("20000-32000"), Ok(20000..=32000));
        for bad in ["", "20000", "32000-20000", "0-5", "1-70000", "a-b"] {
            assert!(port_range(bad).is_err(), "{bad}");
        }
    }
}
