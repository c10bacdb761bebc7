//! `adsum catalog nodes`.

use serde::Deserialize;

use crate::client::{Client, Outcome, Path};
use crate::listing::{FormatFlag, Listing};

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
    args.listing.print(&json, listing)
}

fn listing(nodes: Vec<Node>) -> Listing {
    let mut listing = Listing::new(&["NAME", "ADDRESS", "INSTANCES"]);
    for node in nodes {
        listing.row([node.name, node.address, node.instances.to_string()]);
    }
    listing
}
