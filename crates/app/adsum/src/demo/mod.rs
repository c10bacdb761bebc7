//! `adsum demo`: a whole application, deployed by an agent of its own.

use std::process::ExitCode;

use crate::agent::Faces;

const EXAMPLES: &str = "Examples:
  adsum demo chirp
  adsum demo chirp --stream tweets.ndjson
  cat tweets.ndjson | adsum demo chirp --stream -";

/// Start an agent and a demonstration application on it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[arg(value_enum)]
    pub(crate) application: Application,
    /// Tweets, one JSON object per line: a file, or - for standard input [default: a built-in generator]
    #[arg(long, value_name = "FILE|-")]
    pub(crate) stream: Option<String>,
    /// Keep the data when the demonstration ends
    #[arg(long)]
    pub(crate) keep: bool,
    #[command(flatten)]
    pub(crate) faces: Faces,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Application {
    /// A service per user, deployed as the users tweet
    Chirp,
}

pub(crate) fn run(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not wired yet")
}
