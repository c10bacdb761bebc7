//! `adsum status`: how the agent is.

use std::process::ExitCode;

use serde_json::Value;

use crate::client::{Client, Outcome, Path};
use crate::listing::{Format, FormatFlag, print_json};
use crate::moment;
use crate::screen::print;

const EXAMPLES: &str = "Examples:
  adsum status
  adsum status --addr 10.0.0.5:8500 --format json";

/// Show how the agent is: its addresses, its revision, what it runs
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    listing: FormatFlag,
}

pub(crate) async fn run(args: Args, client: &Client) -> Outcome {
    let json = client.get(Path::of(&["api", "status"])).await?;
    match args.listing.format {
        Format::Json => print_json(&json)?,
        Format::Table => print(&lines(&json))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What a person looks for first; what is not named here comes after it.
const FIRST: [&str; 9] = [
    "version",
    "node",
    "datacenter",
    "cluster",
    "uptime_seconds",
    "faces",
    "services",
    "instances",
    "routable",
];

/// A line per figure; what is in a group is named after it.
fn lines(json: &Value) -> String {
    let mut figures: Vec<(&String, &Value)> = json.as_object().into_iter().flatten().collect();
    figures.sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    let mut text = String::new();
    for (name, value) in figures {
        match value {
            Value::Object(parts) => {
                parts.iter().for_each(|(part, value)| line(&mut text, &format!("{name} {part}"), value));
            }
            _ => line(&mut text, name, value),
        }
    }
    text
}

fn line(text: &mut String, name: &str, value: &Value) {
    let (name, value) = match (name, value.as_u64()) {
        ("uptime_seconds", Some(seconds)) => ("uptime", moment::span(seconds).to_lowercase()),
        _ => (name, value.as_str().map_or_else(|| value.to_string(), str::to_string)),
    };
    let value = if value == "null" { "-" } else { &value };
    text.push_str(&format!("{:<18} {value}\n", name.replace('_', " ")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_figure_has_its_line() {
        let json = json!({"node": "one", "faces": {"resp": "127.0.0.1:6379", "dns": null}, "durable_revision": 7, "uptime_seconds": 90});
        let expect = "\
node               one
uptime             about a minute
faces dns          -
faces resp         127.0.0.1:6379
durable revision   7
";
        assert_eq!(lines(&json), expect);
    }
}
