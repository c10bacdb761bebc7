//! `adsum gateway`: where requests go, and how far those are who send them there.

mod ports;
mod routes;
mod status;

use clap::Subcommand;

use crate::client::{Client, Outcome};

/// Show where requests go
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Routes(routes::Args),
    Ports(ports::Args),
    Status(status::Args),
}

pub(crate) async fn run(args: Args, client: &Client) -> Outcome {
    match args.command {
        Command::Routes(args) => routes::run(args, client).await,
        Command::Ports(args) => ports::run(args, client).await,
        Command::Status(args) => status::run(args, client).await,
    }
}
