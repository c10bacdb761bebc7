//! `adsum service usable`.

use std::process::ExitCode;

use adsum_model::Name;
use hyper::{Method, StatusCode};
use serde::Deserialize;

use crate::client::{Call, Client, Outcome, view};
use crate::listing::{Format, FormatFlag, print_json};
use crate::screen::print_line;

const EXAMPLES: &str = "Examples:
  adsum service usable web && ./call-web
  adsum service usable web --quiet || echo 'web is down'

It goes by the wish, the checks and maintenance. What the gateway's balancer avoids for a while is not included.

Exit codes: 0 usable, 1 not usable or not to be found out, 2 wrong usage.";

/// Say whether it makes sense to call a service now
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    service: Name,
    /// Only the exit code
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    listing: FormatFlag,
}

#[derive(Debug, Deserialize)]
struct Usable {
    usable: bool,
    #[serde(default)]
    reasons: Vec<String>,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let path = super::path(&args.service).join("usable");
    let answer = client.answer(Call::new(Method::GET, path)).await?;
    let json = match answer.status {
        StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE => answer.json()?,
        _ => return Err(super::missing(answer.refusal(), &args.service).into()),
    };
    let usable: Usable = view(&json)?;
    match args.listing.format {
        _ if args.quiet => {}
        Format::Json => print_json(&json)?,
        Format::Table => print_line(&format!("{} {}", args.service, usable.text()))?,
    }
    Ok(ExitCode::from(u8::from(!usable.usable)))
}

impl Usable {
    fn text(&self) -> String {
        let word = if self.usable { "usable" } else { "not usable" };
        let reasons = self.reasons.join("; ");
        let reasons = if reasons.is_empty() { reasons } else { format!(": {reasons}") };
        format!("is {word}{reasons}")
    }
}
