//! `adsum kv get`.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use hyper::Method;

use crate::client::{Call, Client, Outcome, Path};
use crate::screen::{print, print_bytes};

const EXAMPLES: &str = "Examples:
  adsum kv get /config/db
  adsum kv get /logo.png > logo.png
  adsum kv get /config/db --rev 1042

With --rev it is the value as of that revision, as far as the history reaches ('adsum kv history' has the revisions).";

/// Print the value of a key, byte for byte
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[arg(value_parser = super::key)]
    key: String,
    /// As it was at this revision
    #[arg(long, value_name = "REVISION")]
    rev: Option<u64>,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let answer = match args.rev {
        None => {
            let call = Call::new(Method::GET, super::path(&args.key).query("raw", true));
            client.send(call).await.map_err(|error| super::missing(error, &args.key))?
        }
        Some(rev) => {
            let path = Path::of(&["api", "kv", "value"]).query("key", &args.key).query("rev", rev);
            client.send(Call::new(Method::GET, path.query("raw", true))).await?
        }
    };
    print_bytes(&answer.body)?;
    if io::stdout().is_terminal() && !answer.body.ends_with(b"\n") {
        print("\n")?;
    }
    Ok(ExitCode::SUCCESS)
}
