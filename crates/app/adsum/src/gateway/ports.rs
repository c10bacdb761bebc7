//! `adsum gateway ports`.

use std::process::ExitCode;

use serde::Deserialize;

use super::status::Gateway;
use crate::client::{Client, Outcome, Path, view};
use crate::listing::{Format, FormatFlag, Listing, print_json};
use crate::screen::Tone;

const EXAMPLES: &str = "Examples:
  adsum gateway ports
  adsum gateway ports --format json";

/// List the ports that services publish on the gateway
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    listing: FormatFlag,
}

#[derive(Debug, Deserialize)]
pub(super) struct Port {
    port: u16,
    protocol: String,
    service: String,
    open: bool,
    error: Option<String>,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let json = client.get(Path::of(&["api", "gateway"])).await?;
    match args.listing.format {
        Format::Json => print_json(&json["ports"])?,
        Format::Table => listing(&view::<Gateway>(&json)?).print()?,
    }
    Ok(ExitCode::SUCCESS)
}

fn listing(gateway: &Gateway) -> Listing {
    let mut listing = Listing::new(&["PORT", "PROTOCOL", "SERVICE", "INSTANCES", "STATE"]);
    for port in &gateway.ports {
        let (tone, state) = match (&port.error, port.open) {
            (Some(error), _) => (Some(Tone::Bad), format!("cannot be opened: {error}")),
            (None, true) => (None, "open".to_string()),
            (None, false) => (Some(Tone::Busy), "yet to be opened".to_string()),
        };
        let cells = [
            port.port.to_string(),
            port.protocol.clone(),
            port.service.clone(),
            gateway.routable(&port.service).to_string(),
            state,
        ];
        listing.toned(tone, cells);
    }
    listing
}
