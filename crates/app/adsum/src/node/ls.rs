//! `adsum node ls`.

use std::process::ExitCode;

use serde::Deserialize;

use crate::client::{Client, Outcome, Path, view};
use crate::listing::{Format, FormatFlag, Listing, print_json};
use crate::screen::Tone;

const EXAMPLES: &str = "Examples:
  adsum node ls
  adsum node ls --format json";

/// List the nodes with what they run
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    listing: FormatFlag,
}

#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub(super) name: String,
    address: String,
    #[serde(default)]
    availability: String,
    pub(super) instances: u64,
    #[serde(default)]
    routable: u64,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let json = client.get(Path::of(&["api", "nodes"])).await?;
    match args.listing.format {
        Format::Json => print_json(&json)?,
        Format::Table => listing(view(&json)?).print()?,
    }
    Ok(ExitCode::SUCCESS)
}

fn listing(nodes: Vec<Node>) -> Listing {
    let mut listing = Listing::new(&["NAME", "ADDRESS", "AVAILABILITY", "INSTANCES", "PASSING"]);
    for node in nodes {
        let tone = (node.availability == "drain").then_some(Tone::Busy);
        let (instances, routable) = (node.instances.to_string(), node.routable.to_string());
        listing.toned(tone, [node.name, node.address, node.availability, instances, routable]);
    }
    listing
}
