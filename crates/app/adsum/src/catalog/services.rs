//! `adsum catalog services`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use crate::client::{Client, Outcome, Path, view};
use crate::listing::{Format, FormatFlag, Listing, print_json};

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
    match args.listing.format {
        Format::Json => print_json(&json)?,
        Format::Table => listing(&view(&json)?).print()?,
    }
    Ok(ExitCode::SUCCESS)
}

fn listing(services: &BTreeMap<String, Vec<String>>) -> Listing {
    let mut listing = Listing::new(&["NAME", "TAGS"]);
    for (name, tags) in services {
        listing.row([name.clone(), tags.join(",")]);
    }
    listing
}
