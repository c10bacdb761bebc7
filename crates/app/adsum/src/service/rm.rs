//! `adsum service rm`.

use adsum_model::Name;
use hyper::Method;

use super::flags::WaitFlags;
use super::outcome;
use super::wait;
use crate::client::{Call, Client, Outcome};

const EXAMPLES: &str = "Examples:
  adsum service rm web
  adsum service rm web worker --detach

An instance finishes what it has in flight before it is stopped.";

/// Remove services and wait until their instances have ended
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<Name>,
    #[command(flatten)]
    wait: WaitFlags,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    for name in &args.services {
        let call = Call::new(Method::DELETE, super::path(name)).own();
        client.send(call).await.map_err(|error| super::missing(error, name))?;
        wait::name(name, &args.wait)?;
    }
    let mut reports = Vec::new();
    for name in &args.services {
        reports.push(wait::gone(client, name, &args.wait).await?);
    }
    outcome::conclude(&reports, &args.wait)
}
