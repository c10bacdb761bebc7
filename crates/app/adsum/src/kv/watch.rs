//! `adsum kv watch`.

use anyhow::{Context, bail};
use serde_json::Value;

use crate::client::{Client, Message, Messages, Outcome, Path};
use crate::listing::{Format, FormatFlag};
use crate::screen::print_line;

const EXAMPLES: &str = "Examples:
  adsum kv watch /config/
  adsum kv watch /config/ --from 1042
  adsum kv watch '' --format json

Each line is REVISION-N EVENT KEY VALUE. No event is lost: when the history no longer reaches back to --from, the
watch ends with an error.";

/// Print what happens to the keys that begin with a prefix
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    prefix: String,
    /// Begin with the events of this revision [default: from now on]
    #[arg(long, value_name = "REVISION")]
    from: Option<u64>,
    #[command(flatten)]
    listing: FormatFlag,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let path = Path::of(&["api", "watch"]).query("prefix", &args.prefix).query_if("from", args.from);
    let mut messages = Messages::new(client.stream(path).await?);
    let mut last = String::new();
    while let Some(message) = messages.next().await.with_context(|| after(&last))? {
        if message.event == "compacted" {
            bail!(compacted(&message));
        }
        print_line(&line(&message, args.listing.format)?)?;
        last = message.id;
    }
    bail!("{}: the agent has closed it", after(&last))
}

fn after(last: &str) -> String {
    match last.split('-').next() {
        None | Some("") => "the watch ended before the first event".to_string(),
        Some(revision) => format!("the watch ended after {last} (go on with --from {revision})"),
    }
}

fn compacted(message: &Message) -> String {
    format!("the history does not reach back that far ({}): begin without --from", message.data)
}

fn line(message: &Message, format: Format) -> anyhow::Result<String> {
    let json: Value =
        serde_json::from_str(&message.data).context("the agent sent an event that is no JSON")?;
    if format == Format::Json {
        return Ok(json.to_string());
    }
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    let binary = text("value_base64").map(|value| format!("base64:{value}"));
    let delta = json.get("delta").filter(|delta| !delta.is_null()).map(Value::to_string);
    let value = text("value").map(escape).or(binary).or(delta).unwrap_or_default();
    let key = escape(text("key").unwrap_or_default());
    Ok(format!("{} {} {key} {value}", message.id, text("event").unwrap_or("?")).trim_end().to_string())
}

/// An event is a line, whatever its value is.
fn escape(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter {
        '\\' => "\\\\".to_string(),
        letter if letter.is_control() => letter.escape_default().to_string(),
        letter => letter.to_string(),
    });
    letters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(data: &str, expect: &str) {
        let message = Message { event: "message".into(), id: "7-1".into(), data: data.into() };
        assert_eq!(line(&message, Format::Table).unwrap(), expect);
    }

    #[test]
    fn an_event_is_one_line_whatever_its_value_is() {
        check(r#"{"event":"set","key":"/a","value":"b c","revision":7}"#, "7-1 set /a b c");
        check(r#"{"event":"set","key":"/a","value":"b\nc\\","revision":7}"#, r"7-1 set /a b\nc\\");
        check(r#"{"event":"set","key":"/a","value_base64":"/w==","revision":7}"#, "7-1 set /a base64:/w==");
        check(r#"{"event":"lpush","key":"q","delta":{"push":["x"]}}"#, r#"7-1 lpush q {"push":["x"]}"#);
        check(r#"{"event":"expired","key":"/a"}"#, "7-1 expired /a");
    }

    #[test]
    fn the_end_says_where_to_go_on() {
        assert_eq!(after("7-2"), "the watch ended after 7-2 (go on with --from 7)");
        assert_eq!(after(""), "the watch ended before the first event");
    }
}
