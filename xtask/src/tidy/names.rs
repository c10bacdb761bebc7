//! A thing lives with its noun: no crate or module is named after what it is not.

use super::manifest::manifests;
use super::source::{line_of, words};
use super::tree::{Tree, Violation};

const BANNED: [&str; 6] = ["util", "utils", "common", "misc", "helpers", "types"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = files(tree);
    violations.extend(inline_modules(tree));
    violations.extend(packages(tree));
    violations
}

fn files(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, _) in tree.sources() {
        let parts = file.path.trim_end_matches(".rs").split('/');
        violations.extend(
            parts.filter(|part| is_banned(part)).map(|part| file.violation(1, "names", advice(part))),
        );
    }
    violations
}

/// `mod util;` is found by its file.
fn inline_modules(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, source) in tree.sources() {
        for position in words(&source.code, "mod") {
            let rest = source.code[position + 3..].trim_start();
            let name =
                rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or("");
            if is_banned(name) && rest[name.len()..].trim_start().starts_with('{') {
                violations.push(file.violation(line_of(&source.code, position), "names", advice(name)));
            }
        }
    }
    violations
}

fn packages(tree: &Tree) -> Vec<Violation> {
    let manifests = manifests(tree);
    let banned = manifests.iter().filter(|manifest| manifest.name.split(['-', '_']).any(is_banned));
    banned.map(|manifest| manifest.file.violation(1, "names", advice(manifest.name))).collect()
}

fn is_banned(name: &str) -> bool {
    BANNED.contains(&name)
}

fn advice(name: &str) -> String {
    format!("{name} says nothing: name it after its noun")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_file(path: &str, text: &str, expect: &[&str]) {
        let found: Vec<String> =
            check(&Tree::of(&[(path, text)])).iter().map(|violation| violation.to_string()).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn a_file_is_named_after_its_noun() {
        check_file(
            "a/src/utils.rs",
            "",
            &["a/src/utils.rs:1: names: utils says nothing: name it after its noun"],
        );
        check_file(
            "a/src/misc/b.rs",
            "",
            &["a/src/misc/b.rs:1: names: misc says nothing: name it after its noun"],
        );
        check_file("a/src/utility_company.rs", "", &[]);
    }

    #[test]
    fn an_inline_module_is_named_after_its_noun() {
        check_file(
            "a.rs",
            "\nmod helpers {",
            &["a.rs:2: names: helpers says nothing: name it after its noun"],
        );
        check_file("a.rs", "mod tests {", &[]);
    }

    #[test]
    fn a_package_is_named_after_its_noun() {
        let expect = "a/Cargo.toml:1: names: adsum-common says nothing: name it after its noun";
        check_file("a/Cargo.toml", "[package]\nname = \"adsum-common\"\n", &[expect]);
    }
}
