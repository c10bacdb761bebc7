//! `adsum service rollouts`: the history of a service, and one rollout in full.

use std::process::ExitCode;

use adsum_model::Name;

use super::rollout::{Rollout, Whole, seconds};
use crate::client::{Client, Outcome, view};
use crate::listing::{Format, FormatFlag, Listing, print_json, shorten};
use crate::moment;
use crate::screen::{Tone, print};

const EXAMPLES: &str = "Examples:
  adsum service rollouts web
  adsum service rollouts web 3
  adsum service rollouts web latest --format json

Kept are the rollout that is under way and the 10 last ones.";

/// As much of a reason as a table has room for.
const REASON_LETTERS: usize = 80;

/// Show the rollouts of a service, or one of them with its receipt and its log
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    service: Name,
    /// The number of a rollout, or latest
    #[arg(value_parser = number)]
    number: Option<String>,
    #[command(flatten)]
    listing: FormatFlag,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let path = super::path(&args.service).join("rollouts");
    let path = args.number.iter().fold(path, |path, number| path.join(number));
    let answer = client.get(path).await;
    // A 404 may mean the rollout, which the agent says better.
    let named = args.number.is_some();
    let json = answer.map_err(|error| if named { error } else { super::missing(error, &args.service) })?;
    match (args.listing.format, named) {
        (Format::Json, _) => print_json(&json)?,
        (Format::Table, false) => listing(&view::<Vec<Rollout>>(&json)?, moment::now()).print()?,
        (Format::Table, true) => print(&whole(&view(&json)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn number(text: &str) -> Result<String, String> {
    let known = text == "latest" || text.parse::<u32>().is_ok();
    if known { Ok(text.to_string()) } else { Err("give the number of a rollout, or latest".to_string()) }
}

fn listing(rollouts: &[Rollout], now: u64) -> Listing {
    let mut listing = Listing::new(&[
        "NUMBER", "CAUSE", "VERSION", "STAGE", "BEGAN", "TOOK", "FAILURES", "RECEIPT", "REASON",
    ]);
    for rollout in rollouts {
        let from = rollout.from.map_or(String::new(), |from| format!("{from} -> "));
        let end = rollout.ended_at.unwrap_or(now);
        let cells = [
            rollout.number.to_string(),
            rollout.of.map_or_else(|| rollout.cause.clone(), |of| format!("{} ({of})", rollout.cause)),
            format!("{from}{}", rollout.to),
            rollout.stage.clone(),
            moment::ago(now, rollout.began_at),
            seconds(end.saturating_sub(rollout.began_at)),
            rollout.failures.to_string(),
            rollout.receipt.as_ref().map_or_else(String::new, |receipt| receipt.brief()),
            shorten(rollout.reason.as_deref().unwrap_or_default(), REASON_LETTERS),
        ];
        listing.toned(tone(rollout), cells);
    }
    listing
}

fn tone(rollout: &Rollout) -> Option<Tone> {
    match rollout.stage.as_str() {
        "complete" => None,
        "rolled-back" | "paused" => Some(Tone::Bad),
        "superseded" | "removed" => Some(Tone::Faint),
        _ => Some(Tone::Busy),
    }
}

fn whole(whole: &Whole) -> String {
    let Rollout { cause, stage, reason, began_at, .. } = &whole.rollout;
    let because = reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    let mut text = format!("{}\n{cause}, {stage}{because}\n", whole.receipt());
    for failure in &whole.failed_instances {
        text += &format!("failed: {} {} {}\n", failure.name, failure.instance, failure.reason);
    }
    for done in &whole.log {
        let at = seconds(done.time.saturating_sub(*began_at));
        text += &format!("{at:>9}  {:<10} {} {}\n", done.step, done.name, done.instance);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[test]
    fn a_history_has_a_line_for_each_rollout() {
        let rollouts = json!([
            {"number": 1, "cause": "created", "to": 1, "stage": "complete", "ended": true, "began_at": 0, "ended_at": 5_400},
            {"number": 2, "cause": "updated", "from": 1, "to": 2, "stage": "rolled-back", "ended": true, "reason": "web.1 died",
             "failures": 1, "began_at": 10_000, "ended_at": 11_000,
             "receipt": {"requests": 9, "failed": 1, "retried": 0, "held": 0}},
            {"number": 3, "cause": "rolled-back", "of": 2, "from": 2, "to": 1, "stage": "rolling", "began_at": 11_000},
        ]);
        let rollouts = Vec::<Rollout>::deserialize(&rollouts).unwrap();
        let text = listing(&rollouts, 12_500).text();
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split("   ").map(str::trim).collect()).collect();
        let cells =
            |row: usize| lines[row].iter().filter(|cell| !cell.is_empty()).copied().collect::<Vec<_>>();
        assert_eq!(cells(1), ["1", "created", "1", "complete", "12 seconds ago", "5.4 s", "0"]);
        let receipt = "1 failed of 9 requests";
        assert_eq!(
            cells(2),
            ["2", "updated", "1 -> 2", "rolled-back", "2 seconds ago", "1.0 s", "1", receipt, "web.1 died"]
        );
        assert_eq!(cells(3)[..4], ["3", "rolled-back (2)", "2 -> 1", "rolling"]);
    }

    #[test]
    fn one_rollout_is_told_with_its_log() {
        let json = json!({
            "number": 2, "cause": "updated", "from": 1, "to": 2, "stage": "rolled-back", "ended": true, "reason": "web.1 died",
            "began_at": 1_000, "spent": {"start": 0, "drain": 0, "stop": 0, "watch": 0, "whole": 500},
            "failed_instances": [{"instance": "abc", "name": "web.1", "reason": "exited with code 3", "time": 1}],
            "log": [{"time": 1_400, "instance": "abc", "name": "web.1", "step": "created"}],
        });
        let expect = "\
rollout 2: version 1 to 2 in 0.5 s
updated, rolled-back: web.1 died
failed: web.1 abc exited with code 3
    0.4 s  created    web.1 abc
";
        assert_eq!(whole(&Whole::deserialize(&json).unwrap()), expect);
    }
}
