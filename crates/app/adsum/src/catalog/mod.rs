//! `adsum catalog`: what can be discovered.

mod instances;
mod nodes;
mod services;

use clap::Subcommand;

use crate::client::{Client, Outcome};

/// List services, nodes and instances as discovery sees them
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Services(services::Args),
    Nodes(nodes::Args),
    Instances(instances::Args),
}

pub(crate) async fn run(args: Args, client: &Client) -> Outcome {
    match args.command {
        Command::Services(args) => services::run(args, client).await,
        Command::Nodes(args) => nodes::run(args, client).await,
        Command::Instances(args) => instances::run(args, client).await,
    }
}
