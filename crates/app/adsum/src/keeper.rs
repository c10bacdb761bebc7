//! `adsum keeper`: the parent of a node's instances. Started by the agent, never by a person.

use std::path::PathBuf;
use std::process::ExitCode;

/// Hold the instances of an agent
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The keeper's own directory, with its socket
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The id of the cluster whose instances it holds
    #[arg(long, value_name = "ID")]
    pub(crate) cluster: String,
}

pub(crate) fn run(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not wired yet")
}
