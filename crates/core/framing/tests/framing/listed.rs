//! Every case of `docs/framing.md` has its test.

use std::collections::BTreeSet;
use std::path::Path;

/// The names of all tests in a folder.
fn tests(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.append(&mut tests(&path));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(str::trim_start);
        let functions =
            lines.filter_map(|line| line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn "));
        names.extend(functions.filter_map(|line| line.split('(').next()).map(str::to_owned));
    }
    names
}

#[test]
fn every_listed_case_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let mut known = tests(&root.join("crates/core/framing/tests"));
    known.append(&mut tests(&root.join("crates/edge/gateway/tests")));
    known.append(&mut tests(&root.join("tests/tests/hostile")));
    let page = std::fs::read_to_string(root.join("docs/framing.md")).unwrap();
    let rows =
        page.lines().filter(|line| line.starts_with("| ")).filter_map(|line| line.split('`').nth_back(1));
    let listed: Vec<&str> = rows.collect();
    assert!(listed.len() > 40, "only {} cases are listed", listed.len());
    let missing: Vec<&&str> = listed.iter().filter(|name| !known.contains(**name)).collect();
    assert!(missing.is_empty(), "listed without a test: {missing:?}");
}
