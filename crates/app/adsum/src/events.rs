//! `adsum events`: what has happened.

use std::process::ExitCode;

use anyhow::bail;
use serde::Deserialize;
use serde_json::Value;

use crate::client::{Client, Messages, Outcome, Path, view};
use crate::listing::{Format, FormatFlag, print_json};
use crate::screen::print_line;

const EXAMPLES: &str = "Examples:
  adsum events
  adsum events --limit 1000 --format json
  adsum events --follow";

/// Print the event log, the newest last
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Go on with what happens from now on
    #[arg(short, long)]
    follow: bool,
    /// Only events after this one
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    listing: FormatFlag,
}

#[derive(Debug, Deserialize)]
struct Event {
    time: u64,
    kind: String,
    service: Option<String>,
    instance: Option<String>,
    message: String,
}

pub(crate) async fn run(args: Args, client: &Client) -> Outcome {
    let path = Path::of(&["api", "events"]).query_if("after", args.after.as_ref()).query("limit", args.limit);
    let json = client.get(path).await?;
    if args.listing.format == Format::Json && !args.follow {
        print_json(&json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let events: Vec<Value> = view(&json)?;
    for event in &events {
        print_line(&line(event, args.listing.format)?)?;
    }
    if !args.follow {
        return Ok(ExitCode::SUCCESS);
    }
    let last = events.last().and_then(|event| event.get("id")).map(text).or(args.after);
    follow(client, last, args.listing.format).await
}

async fn follow(client: &Client, last: Option<String>, format: Format) -> Outcome {
    let path = Path::of(&["api", "events"]).query("follow", true).query_if("after", last);
    let mut messages = Messages::new(client.stream(path).await?);
    while let Some(message) = messages.next().await? {
        if let Some(error) = message.compacted() {
            bail!("the event log has a gap: {error}");
        }
        print_line(&line(&message.json()?, format)?)?;
    }
    bail!("the agent has closed the event log")
}

/// `2026-11-22T11:38:09.000Z instance-passing web abc passes its check`.
fn line(json: &Value, format: Format) -> anyhow::Result<String> {
    if format == Format::Json {
        return Ok(json.to_string());
    }
    let event: Event = view(json)?;
    let about =
        [event.service, event.instance].into_iter().flatten().map(|name| name + " ").collect::<String>();
    let message = event.message.replace(|letter: char| letter.is_control(), " ");
    Ok(format!("{} {:<20} {about}{message}", adsum_runtime::rfc3339(event.time), event.kind)
        .trim_end()
        .to_string())
}

fn text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_a_line_with_its_moment_first() {
        let event = json!({"id": 7, "time": 0, "kind": "service-created", "service": "web", "instance": null, "message": "version 1\nnow"});
        let expect = "1970-01-01T00:00:00.000Z service-created      web version 1 now";
        assert_eq!(line(&event, Format::Table).unwrap(), expect);
        assert_eq!(line(&event, Format::Json).unwrap(), event.to_string());
    }
}
