//! `adsum gateway routes`.

use serde::Deserialize;

use crate::client::{Client, Outcome, Path};
use crate::listing::{FormatFlag, Listing};
use crate::screen::Tone;

const EXAMPLES: &str = "Examples:
  adsum gateway routes
  adsum gateway routes --format json";

/// List the routes on the gateway's own addresses
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    listing: FormatFlag,
}

#[derive(Debug, Deserialize)]
struct Route {
    route: String,
    rule: String,
    priority: i32,
    weight: Option<u32>,
    rewrite: Option<String>,
    redirect: Option<String>,
    routable: usize,
    problems: Vec<String>,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let json = client.get(Path::of(&["api", "gateway", "routes"])).await?;
    args.listing.print(&json, |routes: Vec<Route>| listing(&routes))
}

fn listing(routes: &[Route]) -> Listing {
    let mut listing = Listing::new(&["ROUTE", "RULE", "PRIORITY", "WEIGHT", "PATH", "INSTANCES", "PROBLEMS"]);
    for route in routes {
        let tone = match (route.problems.is_empty(), route.routable) {
            (false, _) => Some(Tone::Bad),
            (true, 0) if route.redirect.is_none() => Some(Tone::Busy),
            (true, _) => None,
        };
        let instances = match &route.redirect {
            Some(service) => format!("302 to {service}"),
            None => route.routable.to_string(),
        };
        let cells = [
            route.route.clone(),
            route.rule.clone(),
            route.priority.to_string(),
            route.weight.map_or_else(|| "-".to_string(), |weight| weight.to_string()),
            route.rewrite.clone().unwrap_or_else(|| "-".to_string()),
            instances,
            route.problems.join("; "),
        ];
        listing.toned(tone, cells);
    }
    listing
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_route_is_a_line() {
        let routes = json!([
            {"route": "web/1", "service": "web", "rule": "Host(a)", "priority": 0, "weight": null, "rewrite": null,
             "redirect": null, "routable": 2, "problems": []},
            {"route": "web/b", "service": "web", "rule": "PathPrefix(/u)", "priority": 5, "weight": 30,
             "rewrite": "strip /u", "redirect": "user-{1}", "routable": 0, "problems": ["never"]},
        ]);
        let routes: Vec<Route> = serde_json::from_value(routes).unwrap();
        let text = listing(&routes).text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["web/1", "Host(a)", "0", "-", "-", "2"]);
        assert!(lines[2].ends_with("302 to user-{1}   never"), "{text}");
    }
}
