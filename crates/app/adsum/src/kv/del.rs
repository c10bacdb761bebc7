//! `adsum kv del`.

use std::process::ExitCode;

use hyper::Method;

use crate::client::{Call, Client, Outcome};

const EXAMPLES: &str = "Examples:
  adsum kv del /config/color
  adsum kv del /config/a /config/b

A key that is not there is no error: afterwards it is as wanted.";

/// Remove keys
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[arg(required = true, value_name = "KEY", value_parser = super::key)]
    keys: Vec<String>,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    for key in &args.keys {
        client.send(Call::new(Method::DELETE, super::path(key))).await?;
    }
    Ok(ExitCode::SUCCESS)
}
