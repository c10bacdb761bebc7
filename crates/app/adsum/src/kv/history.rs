//! `adsum kv history`.

use std::process::ExitCode;

use serde::Deserialize;
use serde_json::Value;

use super::change;
use crate::client::{Client, Outcome, Path, view};
use crate::listing::{Format, FormatFlag, print_json};
use crate::screen::print_line;

const EXAMPLES: &str = "Examples:
  adsum kv history /config/color
  adsum kv history /config/color --limit 3 --format json
  adsum kv get /config/color --rev 1042

Each line is REVISION-N TIME EVENT VALUE, the newest last. The history is kept up to a number of bytes: how far back it
reaches is said when that is not the beginning.";

/// Print what happened to a key
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[arg(value_parser = super::key)]
    key: String,
    /// At most so many, the newest ones
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    listing: FormatFlag,
}

#[derive(Debug, Deserialize)]
struct History {
    events: Vec<Value>,
    oldest: u64,
    more: bool,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let path = Path::of(&["api", "kv", "history"]).query("key", &args.key).query("limit", args.limit);
    let json = client.get(path).await?;
    if args.listing.format == Format::Json {
        print_json(&json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let history: History = view(&json)?;
    if history.oldest > 0 && !history.more {
        eprintln!("note: what happened up to revision {} is no longer kept", history.oldest);
    }
    history.events.iter().try_for_each(|event| print_line(&line(event)))?;
    Ok(ExitCode::SUCCESS)
}

fn line(event: &Value) -> String {
    let id = event.get("id").and_then(Value::as_str).unwrap_or_default().to_string();
    let time = event.get("time").and_then(Value::as_u64).map(adsum_runtime::rfc3339);
    let parts = [time, change::event(event), change::value(event), change::expires(event)];
    id + &parts.into_iter().flatten().map(|part| format!(" {part}")).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_a_line_with_its_place_and_its_moment() {
        let set = json!({"id": "7-1", "time": 0, "event": "set", "events": ["set", "expire"], "value": "a\nb", "expires": 1000});
        let expect = r"7-1 1970-01-01T00:00:00.000Z set,expire a\nb expires 1970-01-01T00:00:01.000Z";
        assert_eq!(line(&set), expect);
        assert_eq!(
            line(&json!({"id": "8-1", "time": 1, "event": "del"})),
            "8-1 1970-01-01T00:00:00.001Z del"
        );
    }
}
