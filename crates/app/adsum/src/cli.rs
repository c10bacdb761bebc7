//! The command line as a whole: the subcommands and the flags that all of them share.

use clap::{Parser, Subcommand};

use crate::{agent, completions, demo, keeper};

#[derive(Debug, Parser)]
#[command(
    name = "adsum",
    version,
    about = "Deploys, scales, coordinates and discovers microservices, from one binary",
    arg_required_else_help = true,
    subcommand_required = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Agent(agent::Args),
    Demo(demo::Args),
    #[command(hide = true)]
    Keeper(keeper::Args),
    Completions(completions::Args),
}
