//! `adsum kv ls`.

use std::process::ExitCode;

use hyper::StatusCode;
use serde_json::json;

use crate::client::{Client, Outcome, view};
use crate::listing::{Format, FormatFlag, print_json};
use crate::screen::print;

const EXAMPLES: &str = "Examples:
  adsum kv ls
  adsum kv ls /config/";

/// List the keys that begin with a prefix, one per line
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
    #[command(flatten)]
    listing: FormatFlag,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let json = match client.get(super::path(&args.prefix).query("keys", true)).await {
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => json!([]),
        outcome => outcome?,
    };
    match args.listing.format {
        Format::Json => print_json(&json)?,
        Format::Table => {
            let keys: Vec<String> = view(&json)?;
            print(&keys.iter().map(|key| format!("{key}\n")).collect::<String>())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
