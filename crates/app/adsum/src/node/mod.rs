//! `adsum node`: the machines, and whether they run instances.

mod change;
mod ls;

use clap::Subcommand;

use crate::client::{Client, Outcome};

/// List nodes, empty them and fill them again
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ls(ls::Args),
    Drain(change::Drain),
    Activate(change::Activate),
}

pub(crate) async fn run(args: Args, client: &Client) -> Outcome {
    match args.command {
        Command::Ls(args) => ls::run(args, client).await,
        Command::Drain(args) => change::drain(args, client).await,
        Command::Activate(args) => change::activate(args, client).await,
    }
}
