//! `adsum service ps`.

use std::process::ExitCode;

use adsum_model::{Health, Name, Phase};
use serde_json::Value;

use super::view::{Instance, Service};
use crate::client::{Client, Outcome, view};
use crate::listing::{Format, FormatFlag, Listing, print_json};
use crate::moment;
use crate::screen::{PrintError, Tone, print_line};

const EXAMPLES: &str = "Examples:
  adsum service ps web
  adsum service ps web worker --format json";

/// List the instances of services, and what the services are waiting for
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<Name>,
    #[command(flatten)]
    listing: FormatFlag,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let mut found = Vec::new();
    for name in &args.services {
        found.push(client.get(super::path(name)).await.map_err(|error| super::missing(error, name))?);
    }
    match args.listing.format {
        Format::Json => print_json(&Value::Array(found))?,
        Format::Table => print_table(&found.iter().map(view).collect::<Result<Vec<Service>, _>>()?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print_table(services: &[Service]) -> Result<(), PrintError> {
    listing(services, moment::now()).print()?;
    for service in services {
        for reason in &service.waiting_on {
            print_line(&format!("waiting on: {} {reason}", service.name))?;
        }
    }
    Ok(())
}

fn listing(services: &[Service], now: u64) -> Listing {
    let header = ["ID", "NAME", "VERSION", "NODE", "ADDRESS", "HEALTH", "STATE", "RESTARTS", "ERROR"];
    let mut listing = Listing::new(&header);
    for instance in services.iter().flat_map(|service| &service.instances) {
        let cells = [
            instance.id.clone(),
            instance.name.clone(),
            instance.version.to_string(),
            instance.node.clone(),
            instance.endpoint(),
            instance.health().to_string(),
            instance.state(now),
            instance.restarts.to_string(),
            instance.reason.clone().unwrap_or_default(),
        ];
        listing.toned(tone(instance), cells);
    }
    listing
}

fn tone(instance: &Instance) -> Option<Tone> {
    match (instance.phase, instance.health) {
        (Phase::Failed | Phase::Backoff, _) | (Phase::Running, Health::Critical) => Some(Tone::Bad),
        (Phase::Running, Health::Passing) => None,
        (Phase::Stopped | Phase::Complete, _) => Some(Tone::Faint),
        (Phase::Planned | Phase::Stopping | Phase::Running, _) => Some(Tone::Busy),
    }
}
