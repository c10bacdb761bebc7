//! `adsum service`: deploy, change, scale, look at and remove services.

mod create;
mod draft;
mod environment;
mod flags;
mod inspect;
mod judge;
mod logs;
mod ls;
mod outcome;
mod pace;
mod progress;
mod ps;
mod rm;
mod rollout;
mod rollouts;
mod scale;
mod update;
mod usable;
mod verb;
mod view;
mod wait;
mod why;

use adsum_model::Name;
use clap::Subcommand;

use crate::client::{Client, Error, Outcome, Path};
pub(crate) use outcome::Refused;

/// Deploy, change, scale and look at services
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(create::Args),
    Update(update::Args),
    Scale(scale::Args),
    Rollback(verb::Rollback),
    Abort(verb::Abort),
    Pause(verb::Pause),
    Resume(verb::Resume),
    #[command(visible_alias = "history")]
    Rollouts(rollouts::Args),
    Ls(ls::Args),
    Ps(ps::Args),
    Inspect(inspect::Args),
    Logs(logs::Args),
    Why(why::Args),
    Usable(usable::Args),
    Rm(rm::Args),
}

pub(crate) async fn run(args: Args, client: &Client) -> Outcome {
    match args.command {
        Command::Create(args) => create::run(args, client).await,
        Command::Update(args) => update::run(args, client).await,
        Command::Scale(args) => scale::run(args, client).await,
        Command::Rollback(args) => verb::rollback(args, client).await,
        Command::Abort(args) => verb::abort(args, client).await,
        Command::Pause(args) => verb::pause(args, client).await,
        Command::Resume(args) => verb::resume(args, client).await,
        Command::Rollouts(args) => rollouts::run(args, client).await,
        Command::Ls(args) => ls::run(args, client).await,
        Command::Ps(args) => ps::run(args, client).await,
        Command::Inspect(args) => inspect::run(args, client).await,
        Command::Logs(args) => logs::run(args, client).await,
        Command::Why(args) => why::run(args, client).await,
        Command::Usable(args) => usable::run(args, client).await,
        Command::Rm(args) => rm::run(args, client).await,
    }
}

fn path(service: &Name) -> Path {
    Path::of(&["api", "services", service.as_str()])
}

/// Says of a 404 which service there is not.
fn missing(error: Error, service: &Name) -> Error {
    error.when(hyper::StatusCode::NOT_FOUND, || {
        format!("there is no service '{service}': 'adsum service ls' lists those there are")
    })
}
