//! `adsum node ls`.

use serde::Deserialize;

use crate::client::{Client, Outcome, Path};
use crate::listing::{FormatFlag, Listing};
use crate::screen::Tone;

const EXAMPLES: &str = "Examples:
  adsum node ls
  adsum node ls --format json";

/// List the nodes with what they run
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    listing: FormatFlag,
}

#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub(super) name: String,
    address: String,
    #[serde(default)]
    availability: String,
    pub(super) instances: u64,
    #[serde(default)]
    routable: u64,
    driver: Option<Driver>,
}

#[derive(Debug, Deserialize)]
struct Driver {
    kind: String,
    tree: String,
    #[serde(default)]
    controllers: Vec<String>,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let json = client.get(Path::of(&["api", "nodes"])).await?;
    args.listing.print(&json, listing)
}

fn listing(nodes: Vec<Node>) -> Listing {
    let header = ["NAME", "ADDRESS", "AVAILABILITY", "INSTANCES", "PASSING", "DRIVER", "ISOLATION"];
    let mut listing = Listing::new(&header);
    for node in nodes {
        let tone = (node.availability == "drain").then_some(Tone::Busy);
        let (instances, routable) = (node.instances.to_string(), node.routable.to_string());
        let isolation = node.driver.as_ref().map_or("-".to_string(), Driver::isolation);
        let driver = node.driver.map_or("-".to_string(), |driver| driver.kind);
        let cells = [node.name, node.address, node.availability, instances, routable, driver, isolation];
        listing.toned(tone, cells);
    }
    listing
}

impl Driver {
    /// `cgroup v2 (memory, cpu, pids)`.
    fn isolation(&self) -> String {
        let tree = match self.tree.as_str() {
            "cgroup2" => "cgroup v2",
            "cgroup1" => "cgroup v1",
            "process-group" => "none",
            other => other,
        };
        match self.controllers.is_empty() {
            true => tree.to_string(),
            false => format!("{tree} ({})", self.controllers.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isolation_is_named_with_what_can_be_limited() {
        #[track_caller]
        fn check(tree: &str, controllers: &[&str], expect: &str) {
            let controllers = controllers.iter().map(ToString::to_string).collect();
            let driver = Driver { kind: "process".to_string(), tree: tree.to_string(), controllers };
            assert_eq!(driver.isolation(), expect);
        }
        check("cgroup2", &["memory", "cpu", "pids"], "cgroup v2 (memory, cpu, pids)");
        check("cgroup1", &[], "cgroup v1");
        check("process-group", &[], "none");
    }
}
