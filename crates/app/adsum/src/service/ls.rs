//! `adsum service ls`.

use std::process::ExitCode;

use super::view::{Summary, check};
use crate::client::{Client, Outcome, Path, view};
use crate::listing::{Format, FormatFlag, Listing, print_json, shorten};
use crate::screen::{Tone, print_line};

const EXAMPLES: &str = "Examples:
  adsum service ls
  adsum service ls --quiet
  adsum service ls --format json";

/// As much of a command as fits beside the other columns
const COMMAND_LETTERS: usize = 60;
/// The same of ports
const PORT_LETTERS: usize = 30;

/// List the services
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    listing: FormatFlag,
    /// Only the names
    #[arg(short, long, conflicts_with = "format")]
    quiet: bool,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let json = client.get(Path::of(&["api", "services"])).await?;
    if args.listing.format == Format::Json {
        print_json(&json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let services: Vec<Summary> = view(&json)?;
    if args.quiet {
        services.iter().try_for_each(|service| print_line(&service.name))?;
    } else {
        listing(&services).print()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn listing(services: &[Summary]) -> Listing {
    let mut listing = Listing::new(&["NAME", "REPLICAS", "VERSION", "CHECK", "PORTS", "COMMAND"]);
    for service in services {
        let tone = (service.removed || !service.converged).then_some(Tone::Busy);
        let removed = if service.removed { " (being removed)" } else { "" };
        let cells = [
            service.name.clone(),
            format!("{}/{}{removed}", service.passing, service.replicas),
            service.version.to_string(),
            check(&service.check),
            shorten(&service.ports.join(","), PORT_LETTERS),
            shorten(&service.command.join(" "), COMMAND_LETTERS),
        ];
        listing.toned(tone, cells);
    }
    listing
}
