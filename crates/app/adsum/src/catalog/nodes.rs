//! `adsum catalog nodes`.

use std::process::ExitCode;

use serde::Deserialize;

use crate::client::{Client, Outcome, Path, view};
use crate::listing::{Format, FormatFlag, Listing, print_json};

const EXAMPLES: &str = "Examples:
  adsum catalog nodes";

/// List the nodes
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    listing: FormatFlag,
}

#[derive(Debug, Deserialize)]
struct Node {
    name: String,
    address: String,
    instances: u64,
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
    let mut listing = Listing::new(&["NAME", "ADDRESS", "INSTANCES"]);
    for node in nodes {
        listing.row([node.name, node.address, node.instances.to_string()]);
    }
    listing
}
