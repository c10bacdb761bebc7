//! `adsum service why`: what holds and what does not, down to each instance.

use std::process::ExitCode;

use adsum_model::Name;
use serde::Deserialize;

use crate::client::{Client, Outcome, view};
use crate::listing::{Format, FormatFlag, print_json};
use crate::screen::{Screen, Tone, print};

const EXAMPLES: &str = "Examples:
  adsum service why web
  adsum service why web --format json";

/// Explain why a service and its instances get traffic, or why not
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    service: Name,
    #[command(flatten)]
    listing: FormatFlag,
}

#[derive(Debug, Deserialize)]
struct Explanation {
    #[serde(default)]
    conclusion: String,
    facts: Vec<Fact>,
    #[serde(default)]
    waiting_on: Vec<String>,
    #[serde(default)]
    instances: Vec<Explained>,
}

#[derive(Debug, Deserialize)]
struct Explained {
    id: String,
    name: String,
    #[serde(default)]
    conclusion: String,
    facts: Vec<Fact>,
}

#[derive(Debug, Deserialize)]
struct Fact {
    fact: String,
    holds: bool,
    detail: Option<String>,
    revision: Option<u64>,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let json = client.get(super::path(&args.service).join("why")).await;
    let json = json.map_err(|error| super::missing(error, &args.service))?;
    match args.listing.format {
        Format::Json => print_json(&json)?,
        Format::Table => print(&tree(args.service.as_str(), &view(&json)?, Screen::stdout()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn tree(service: &str, explanation: &Explanation, screen: Screen) -> String {
    let mut text = format!("{}\n\n{service}\n", explanation.conclusion);
    let branches = explanation.facts.len() + explanation.instances.len();
    let mut branch = 0;
    let mut next = || {
        branch += 1;
        limbs(branch == branches, screen)
    };
    for fact in &explanation.facts {
        text += &line(next().0, fact, screen);
    }
    for instance in &explanation.instances {
        let (limb, indent) = next();
        let id = screen.paint(Tone::Faint, &instance.id);
        text += &format!("{limb}{} {id} {}\n", instance.name, instance.conclusion);
        for (number, fact) in (1..).zip(&instance.facts) {
            let limb = limbs(number == instance.facts.len(), screen).0;
            text += &line(&format!("{indent}{limb}"), fact, screen);
        }
    }
    for reason in &explanation.waiting_on {
        text += &format!("waiting on: {reason}\n");
    }
    text
}

/// What stands before a branch, and before what is below it.
fn limbs(last: bool, screen: Screen) -> (&'static str, &'static str) {
    match (screen.unicode, last) {
        (true, false) => ("├─ ", "│  "),
        (true, true) => ("└─ ", "   "),
        (false, false) => ("|- ", "|  "),
        (false, true) => ("`- ", "   "),
    }
}

fn line(limbs: &str, fact: &Fact, screen: Screen) -> String {
    let (tone, mark) = match (fact.holds, screen.unicode) {
        (true, true) => (Tone::Good, "✓"),
        (false, true) => (Tone::Bad, "✗"),
        (true, false) => (Tone::Good, "[yes]"),
        (false, false) => (Tone::Bad, "[no]"),
    };
    let detail = fact.detail.as_ref().filter(|detail| !detail.is_empty());
    let detail = detail.map_or(String::new(), |detail| format!(": {detail}"));
    let revision = fact.revision.map_or(String::new(), |revision| format!(" (revision {revision})"));
    let revision = if revision.is_empty() { revision } else { screen.paint(Tone::Faint, &revision) };
    format!("{limbs}{} {}{detail}{revision}\n", screen.paint(tone, mark), fact.fact)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn explanation() -> Explanation {
        let json = json!({
            "conclusion": "web gets no requests: web.1 is starting",
            "facts": [{"fact": "wanted", "holds": true, "detail": "3 replicas", "revision": 12}],
            "waiting_on": ["slot 1 (abc): its tcp check to pass"],
            "instances": [{"id": "abc", "name": "web.1", "conclusion": "is starting", "facts": [
                {"fact": "its process runs", "holds": true, "detail": "pid 7", "revision": null},
                {"fact": "its check passes", "holds": false, "detail": "connection refused"},
            ]}],
        });
        Explanation::deserialize(&json).unwrap()
    }

    #[test]
    fn the_tree_marks_what_holds_and_what_does_not() {
        let screen = Screen { colours: false, unicode: true };
        let expect = "\
web gets no requests: web.1 is starting

web
├─ ✓ wanted: 3 replicas (revision 12)
└─ web.1 abc is starting
   ├─ ✓ its process runs: pid 7
   └─ ✗ its check passes: connection refused
waiting on: slot 1 (abc): its tcp check to pass
";
        assert_eq!(tree("web", &explanation(), screen), expect);
    }

    #[test]
    fn the_tree_is_ascii_where_the_locale_is() {
        let text = tree("web", &explanation(), Screen { colours: false, unicode: false });
        assert!(text.is_ascii());
        assert!(text.contains("|- [yes] wanted") && text.contains("   `- [no] its check passes"), "{text}");
    }
}
