//! `adsum service logs`.

use std::process::ExitCode;

use adsum_model::Name;
use anyhow::Context;
use http_body_util::BodyExt;

use crate::client::{Client, Outcome};
use crate::screen::print_bytes;

const EXAMPLES: &str = "Examples:
  adsum service logs web
  adsum service logs --follow --tail 20 web";

/// Print what the instances of a service have written
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    service: Name,
    /// Go on with what they write from now on
    #[arg(short, long)]
    follow: bool,
    /// Begin this many lines before the end
    #[arg(short = 'n', long, value_name = "N")]
    tail: Option<u64>,
    /// Only this instance; the beginning of its id that the lines show is enough
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let path = super::path(&args.service).join("logs");
    let path = path.query_if("tail", args.tail).query_if("instance", args.instance.as_ref());
    let path = path.query_if("follow", args.follow.then_some(true));
    let body = client.stream(path).await;
    // A 404 may mean the instance, which the agent says better.
    let named = args.instance.is_some();
    let mut body = body.map_err(|error| if named { error } else { super::missing(error, &args.service) })?;
    while let Some(frame) = body.frame().await {
        let frame = frame.context("the agent broke the log off")?;
        print_bytes(frame.data_ref().map_or(&[], |data| &data[..]))?;
    }
    Ok(ExitCode::SUCCESS)
}
