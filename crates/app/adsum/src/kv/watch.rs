//! `adsum kv watch`.
//!
//! A watch that was cut off goes on behind the last event it has shown, so a restart of the agent leaves no gap.

use anyhow::bail;

use super::change;
use crate::client::{Client, Message, Outcome, Watch};
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
    /// Begin behind this revision, or behind this event of it [default: now]
    #[arg(long, value_name = "REVISION[-N]", value_parser = place)]
    from: Option<String>,
    #[command(flatten)]
    listing: FormatFlag,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let mut watch = Watch::new(client, &args.prefix, args.from);
    loop {
        let message = watch.next().await?;
        if let Some(error) = message.compacted() {
            bail!("{error}: begin without --from");
        }
        print_line(&line(&message, args.listing.format)?)?;
    }
}

fn place(text: &str) -> Result<String, String> {
    let numbers = |text: &str| text.split('-').all(|number| number.parse::<u64>().is_ok());
    if numbers(text) && text.split('-').count() <= 2 {
        return Ok(text.to_string());
    }
    Err(format!("'{text}' is no place in the history: write it like 1042 or 1042-1"))
}

fn line(message: &Message, format: Format) -> anyhow::Result<String> {
    let json = message.json()?;
    if format == Format::Json {
        return Ok(json.to_string());
    }
    let value = change::value(&json).or_else(|| change::expires(&json));
    let parts = [change::event(&json), change::bytes(&json, "key"), value];
    let parts = parts.into_iter().flatten().map(|part| format!(" {part}"));
    Ok(message.id.clone() + &parts.collect::<String>())
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
        check(
            r#"{"event":"set","key_base64":"/w==","value_base64":"/w=="}"#,
            "7-1 set base64:/w== base64:/w==",
        );
        check(r#"{"event":"lpush","key":"q","value":["x"]}"#, r#"7-1 lpush q ["x"]"#);
        check(r#"{"event":"append","key":"q","delta":{"append":"x"}}"#, r#"7-1 append q {"append":"x"}"#);
        check(r#"{"event":"set","events":["set","expire"],"key":"/a","value":"b"}"#, "7-1 set,expire /a b");
        check(
            r#"{"event":"expire","key":"/a","expires":1000}"#,
            "7-1 expire /a expires 1970-01-01T00:00:01.000Z",
        );
        check(r#"{"event":"expired","key":"/a"}"#, "7-1 expired /a");
    }

    #[test]
    fn a_place_in_the_history_is_a_revision_or_an_event_of_it() {
        assert_eq!(place("1042"), Ok("1042".to_string()));
        assert_eq!(place("1042-3"), Ok("1042-3".to_string()));
        for bad in ["", "x", "1-", "-1", "1-2-3"] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}
