//! `adsum kv`: keys and values of database 0, as Consul's KV and Redis clients see them too.

mod change;
mod del;
mod get;
mod history;
mod ls;
mod put;
mod switch;
mod watch;

use clap::Subcommand;
use hyper::StatusCode;

use crate::client::{Client, Error, Outcome, Path};

/// Read, write and watch keys
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Get(get::Args),
    Put(put::Args),
    Del(del::Args),
    Ls(ls::Args),
    History(history::Args),
    Watch(watch::Args),
    Switch(switch::Args),
}

pub(crate) async fn run(args: Args, client: &Client) -> Outcome {
    match args.command {
        Command::Get(args) => get::run(args, client).await,
        Command::Put(args) => put::run(args, client).await,
        Command::Del(args) => del::run(args, client).await,
        Command::Ls(args) => ls::run(args, client).await,
        Command::History(args) => history::run(args, client).await,
        Command::Watch(args) => watch::run(args, client).await,
        Command::Switch(args) => switch::run(args, client).await,
    }
}

fn path(key: &str) -> Path {
    Path::of(&["v1", "kv", key])
}

fn key(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a key must not be empty".to_string()) } else { Ok(text.to_string()) }
}

fn missing(error: Error, key: &str) -> Error {
    error.when(StatusCode::NOT_FOUND, || {
        format!("there is no key '{key}': 'adsum kv ls' lists those there are")
    })
}
