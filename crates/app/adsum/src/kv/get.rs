//! `adsum kv get`.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use hyper::Method;

use crate::client::{Call, Client, Outcome};
use crate::screen::{print, print_bytes};

const EXAMPLES: &str = "Examples:
  adsum kv get /config/db
  adsum kv get /logo.png > logo.png";

/// Print the value of a key, byte for byte
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[arg(value_parser = super::key)]
    key: String,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let call = Call::new(Method::GET, super::path(&args.key).query("raw", true));
    let answer = client.send(call).await.map_err(|error| super::missing(error, &args.key))?;
    print_bytes(&answer.body)?;
    if io::stdout().is_terminal() && !answer.body.ends_with(b"\n") {
        print("\n")?;
    }
    Ok(ExitCode::SUCCESS)
}
