//! `adsum service usable`.

use std::process::ExitCode;

use adsum_model::Name;
use hyper::{Method, StatusCode};
use serde::Deserialize;

use crate::client::{Call, Client, Outcome, view};
use crate::screen::print_line;

const EXAMPLES: &str = "Examples:
  adsum service usable web && ./call-web
  adsum service usable web --quiet || echo 'web is down'

Exit codes: 0 usable, 1 not usable or not to be found out, 2 wrong usage.";

/// Say whether it makes sense to call a service now
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    service: Name,
    /// Only the exit code
    #[arg(short, long)]
    quiet: bool,
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
    let answer = match answer.status {
        StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE => view::<Usable>(&answer.json()?)?,
        _ => return Err(super::missing(answer.refusal(), &args.service).into()),
    };
    if !args.quiet {
        let word = if answer.usable { "usable" } else { "not usable" };
        let reasons = answer.reasons.join("; ");
        let reasons = if reasons.is_empty() { reasons } else { format!(": {reasons}") };
        print_line(&format!("{} is {word}{reasons}", args.service))?;
    }
    Ok(ExitCode::from(u8::from(!answer.usable)))
}
