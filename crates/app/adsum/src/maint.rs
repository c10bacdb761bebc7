//! `adsum maint`: out of routing by a person, and back.
//!
//! The process stays and its check goes on. `on` waits until nothing is in flight any more, so that whoever comes back to
//! the shell may open the machine.

mod target;

use std::time::Duration;

use clap::Subcommand;
use hyper::Method;
use serde_json::json;

use crate::client::{Call, Client, Error, Outcome};
use crate::screen::print_line;
use crate::service::Refused;
use crate::usage::duration;
use target::Target;

const ON_EXAMPLES: &str = "Examples:
  adsum maint on web --reason 'new disk'
  adsum maint on web.2
  adsum maint on mkf3ud6ksr2a --detach

No new request comes to it, what is in flight is finished, and its process goes on. Instances of a service in
maintenance that are created later are in maintenance, too.";

const OFF_EXAMPLES: &str = "Examples:
  adsum maint off web
  adsum maint off web.2

Exit codes: 0 found well (passing or warning), 1 not well: it gets no requests before it is, 2 wrong usage, 3 not known
when the waiting ended, 4 refused by the agent.";

/// Take services and instances out of routing, and put them back
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    On(On),
    Off(Off),
}

/// Take a service or an instance out of routing, and wait until nothing is in flight
#[derive(Debug, clap::Args)]
#[command(after_help = ON_EXAMPLES)]
struct On {
    #[command(flatten)]
    subject: Subject,
    /// Shown to whoever asks why it gets no requests
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Put a service or an instance back, and wait until it has been found well
#[derive(Debug, clap::Args)]
#[command(after_help = OFF_EXAMPLES)]
struct Off {
    #[command(flatten)]
    subject: Subject,
}

#[derive(Debug, clap::Args)]
struct Subject {
    /// A service, an instance as SERVICE.SLOT, or the id of an instance
    #[arg(value_name = "SERVICE|INSTANCE")]
    target: String,
    /// Do not wait
    #[arg(short, long)]
    detach: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5m")]
    wait_timeout: Duration,
}

pub(crate) async fn run(args: Args, client: &Client) -> Outcome {
    match args.command {
        Command::On(args) => {
            let body = json!({"reason": args.reason});
            change(client, &args.subject, |path| Call::new(Method::PUT, path).json(&body), true).await
        }
        Command::Off(args) => {
            change(client, &args.subject, |path| Call::new(Method::DELETE, path).own(), false).await
        }
    }
}

async fn change(
    client: &Client,
    subject: &Subject,
    call: impl Fn(crate::client::Path) -> Call,
    on: bool,
) -> Outcome {
    let targets = Target::find(client, &subject.target).await?;
    for target in &targets {
        send(client, call(target.path())).await?;
        let word = if on { "in maintenance" } else { "out of maintenance" };
        print_line(&format!("{target} is {word}"))?;
    }
    if subject.detach {
        return Ok(std::process::ExitCode::SUCCESS);
    }
    target::wait(client, &targets, on, subject.wait_timeout).await
}

async fn send(client: &Client, call: Call) -> anyhow::Result<()> {
    match client.send(call).await {
        Ok(_) => Ok(()),
        Err(error @ Error::Refused(_)) => Err(Refused(error).into()),
        Err(error) => Err(error.into()),
    }
}
