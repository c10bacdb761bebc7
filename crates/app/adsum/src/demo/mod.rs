//! `adsum demo`: a whole application, deployed by an agent of its own.
//!
//! The agent is the ordinary one in `--dev` mode; the application is deployed through the own API like anybody's.

mod chirp;
mod ports;
mod spool;

use std::process::ExitCode;

use crate::agent::{self, Args as AgentArgs, Faces, Node, Settings, ToldToEnd};
use crate::client::{Address, Client};

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

/// Runs until Ctrl-C, and leaves nothing behind.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    agent::log_to_stderr("warn");
    let Args { application: Application::Chirp, stream, keep, faces } = args;
    let chirp = chirp::Demo::new(stream.as_deref())?;
    let faces = ports::free(faces);
    let settings = Settings::resolve(AgentArgs { dev: true, faces, ..AgentArgs::default() })?;
    agent::runtime()?.block_on(async {
        let mut told = ToldToEnd::listen()?;
        let node = Node::start(settings).await?;
        node.announce();
        let client = Client::new(Address::choose(Some(node.addresses.http.to_string().parse()?))?);
        let outcome = tokio::select! {
            outcome = chirp.run(&node, &client) => outcome,
            failed = node.store.until_failed() => {
                node.abandon().await;
                return Err(anyhow::anyhow!(failed));
            }
            () = told.wait() => Ok(()),
        };
        eprintln!("\nstopping every instance...");
        if let Some(kept) = node.finish(keep).await? {
            eprintln!("the data is kept in {}: 'adsum agent --data-dir {0}' goes on with it", kept.display());
        }
        outcome.map(|()| ExitCode::SUCCESS)
    })
}
