//! Arrows point down: app -> edge -> core. Edge crates do not see each other, nobody sees the binary, and the
//! demonstration applications know Adsum only over the wire.

use std::collections::BTreeMap;

use super::manifest::{Dependency, Manifest, manifests};
use super::tree::{Tree, Violation};

/// The package of the one binary.
const BINARY: &str = "adsum";

/// What would bring the world into core; tests and benchmarks may have it.
const WORLD: [&str; 12] = [
    "async-trait",
    "fastrand",
    "futures-util",
    "getrandom",
    "hyper",
    "hyper-util",
    "libc",
    "nix",
    "rand",
    "socket2",
    "tempfile",
    "tokio",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Core,
    Edge,
    App,
    Application,
    /// tests, bench, xtask.
    Outside,
}

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let manifests = manifests(tree);
    let rooms: BTreeMap<&str, Room> =
        manifests.iter().map(|manifest| (manifest.name, room(&manifest.file.path))).collect();
    let mut violations = Vec::new();
    for manifest in &manifests {
        for dependency in &manifest.dependencies {
            violations.extend(refusal(manifest, dependency, &rooms));
        }
    }
    violations
}

fn room(path: &str) -> Room {
    let rooms = [
        ("crates/core/", Room::Core),
        ("crates/edge/", Room::Edge),
        ("crates/app/", Room::App),
        ("apps/", Room::Application),
    ];
    rooms.iter().find(|(folder, _)| path.starts_with(folder)).map_or(Room::Outside, |(_, room)| *room)
}

fn refusal(from: &Manifest<'_>, to: &Dependency<'_>, rooms: &BTreeMap<&str, Room>) -> Option<Violation> {
    let here = room(&from.file.path);
    let there = rooms.get(to.name).copied();
    let reason = match (here, there) {
        _ if to.name == BINARY => "nobody depends on the binary: talk to it over the wire",
        (Room::Core, Some(Room::Edge | Room::App | Room::Application | Room::Outside)) => {
            "core depends only on core"
        }
        (Room::Core, None) if WORLD.contains(&to.name) && !to.development => "core decides: no world in core",
        (Room::Edge, Some(Room::Edge)) => "edge crates do not see each other: let app wire them",
        (Room::Edge, Some(Room::App | Room::Application | Room::Outside)) => "edge depends only on core",
        (Room::App, Some(Room::Application | Room::Outside)) => "app depends on app, edge and core",
        (Room::Application, _) if to.name.starts_with("adsum") => {
            "applications know Adsum only over the wire"
        }
        (Room::Core | Room::Edge | Room::App | Room::Application | Room::Outside, _) => return None,
    };
    Some(from.file.violation(to.line, "arrows", format!("drop {}: {reason}", to.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small workspace with one package per room, and `folder` depending on `name`.
    #[track_caller]
    fn check_arrow(folder: &str, name: &str, expect: Option<&str>) {
        let mut files = vec![
            ("crates/core/model/Cargo.toml".to_string(), package("adsum-model", "")),
            ("crates/edge/probe/Cargo.toml".to_string(), package("adsum-probe", "")),
            ("crates/app/api/Cargo.toml".to_string(), package("adsum-api", "")),
            ("tests/Cargo.toml".to_string(), package("adsum-tests", "")),
        ];
        files.push((format!("{folder}/Cargo.toml"), package("here", &format!("{name}.workspace = true"))));
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let found: Vec<String> =
            check(&Tree::of(&files)).iter().map(|violation| violation.to_string()).collect();
        let expect: Vec<String> = expect
            .map(|reason| format!("{folder}/Cargo.toml:4: arrows: drop {name}: {reason}"))
            .into_iter()
            .collect();
        assert_eq!(found, expect);
    }

    fn package(name: &str, dependency: &str) -> String {
        format!("[package]\nname = \"{name}\"\n[dependencies]\n{dependency}\n")
    }

    #[test]
    fn core_sees_only_core() {
        check_arrow("crates/core/a", "adsum-model", None);
        check_arrow("crates/core/a", "adsum-probe", Some("core depends only on core"));
        check_arrow("crates/core/a", "tokio", Some("core decides: no world in core"));
        check_arrow("crates/core/a", "serde", None);
    }

    #[test]
    fn edge_sees_only_core() {
        check_arrow("crates/edge/a", "adsum-model", None);
        check_arrow("crates/edge/a", "tokio", None);
        check_arrow(
            "crates/edge/a",
            "adsum-probe",
            Some("edge crates do not see each other: let app wire them"),
        );
        check_arrow("crates/edge/a", "adsum-api", Some("edge depends only on core"));
    }

    #[test]
    fn app_sees_everything_but_the_binary() {
        check_arrow("crates/app/a", "adsum-probe", None);
        check_arrow("crates/app/a", "adsum-api", None);
        check_arrow("crates/app/a", "adsum", Some("nobody depends on the binary: talk to it over the wire"));
        check_arrow("crates/app/a", "adsum-tests", Some("app depends on app, edge and core"));
    }

    #[test]
    fn applications_and_tests_know_the_product_from_outside() {
        check_arrow("apps/a", "adsum-model", Some("applications know Adsum only over the wire"));
        check_arrow("apps/a", "tokio", None);
        check_arrow("bench", "adsum", Some("nobody depends on the binary: talk to it over the wire"));
        check_arrow("bench", "adsum-model", None);
    }
}
