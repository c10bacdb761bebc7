//! `adsum catalog instances`.

use adsum_model::Name;
use serde::Deserialize;

use crate::client::{Client, Outcome, Path};
use crate::listing::{FormatFlag, Listing};

const EXAMPLES: &str = "Examples:
  adsum catalog instances
  adsum catalog instances --service web --passing
  adsum catalog instances --prefix chirp-user- --format json";

/// List the instances of all services
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Only those of one service
    #[arg(long, value_name = "NAME")]
    service: Option<Name>,
    /// Only those of services whose names begin so
    #[arg(long)]
    prefix: Option<String>,
    /// Only those that get traffic
    #[arg(long)]
    passing: bool,
    #[command(flatten)]
    listing: FormatFlag,
}

#[derive(Debug, Deserialize)]
struct Instance {
    id: String,
    service: String,
    slot: u32,
    version: u32,
    node: String,
    address: String,
    port: u16,
    health: String,
    phase: String,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let path =
        Path::of(&["api", "instances"]).query_if("service", args.service).query_if("prefix", args.prefix);
    let json = client.get(path.query_if("passing", args.passing.then_some(true))).await?;
    args.listing.print(&json, listing)
}

fn listing(instances: Vec<Instance>) -> Listing {
    let mut listing = Listing::new(&["ID", "NAME", "VERSION", "NODE", "ADDRESS", "PORT", "HEALTH", "PHASE"]);
    for instance in instances {
        let title = format!("{}.{}", instance.service, instance.slot);
        let (version, port) = (instance.version.to_string(), instance.port.to_string());
        let cells = [
            instance.id,
            title,
            version,
            instance.node,
            instance.address,
            port,
            instance.health,
            instance.phase,
        ];
        listing.row(cells);
    }
    listing
}
