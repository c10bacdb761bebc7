//! `adsum catalog services`.

use std::collections::BTreeMap;

use crate::client::{Client, Outcome, Path};
use crate::listing::{FormatFlag, Listing};

const EXAMPLES: &str = "Examples:
  adsum catalog services";

/// List the services that have instances, with their tags
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    listing: FormatFlag,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let json = client.get(Path::of(&["v1", "catalog", "services"])).await?;
    args.listing.print(&json, |services| listing(&services))
}

fn listing(services: &BTreeMap<String, Vec<String>>) -> Listing {
    let mut listing = Listing::new(&["NAME", "TAGS"]);
    for (name, tags) in services {
        listing.row([name.clone(), tags.join(",")]);
    }
    listing
}
