//! Core decides: no async, sockets, files, threads, clock, or randomness that is not passed in.
//! Tests and benchmarks of core crates may.

use super::source::{line_of, words};
use super::tree::{File, Tree, Violation};

const SOCKETS: &str = "core knows no sockets: move this to an edge crate";
const FILES: &str = "core knows no files: move this to an edge crate";
const CLOCK: &str = "core gets `now` passed in";
const CHANCE: &str = "core gets its seed passed in";
const ASYNC: &str = "core is not async: return effects";

/// What core code must not say, and what to do instead.
const BANNED: [(&str, &str); 16] = [
    ("tokio", ASYNC),
    ("async", ASYNC),
    (".await", ASYNC),
    ("TcpStream", SOCKETS),
    ("TcpListener", SOCKETS),
    ("UdpSocket", SOCKETS),
    ("UnixStream", SOCKETS),
    ("UnixListener", SOCKETS),
    ("std::fs", FILES),
    ("std::thread", "core knows no threads: move this to edge or app"),
    ("Instant::now", CLOCK),
    ("SystemTime::now", CLOCK),
    ("rand::", CHANCE),
    ("getrandom", CHANCE),
    ("fastrand", CHANCE),
    ("RandomState", CHANCE),
];

/// Modules that `use std::{...}` must not bring in.
const BANNED_OF_STD: [(&str, &str); 2] =
    [("fs", FILES), ("thread", "core knows no threads: move this to edge or app")];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, source) in tree.sources().filter(|(file, _)| is_core(file)) {
        let code = source.product_code();
        for (pattern, advice) in BANNED {
            let found = words(&code, pattern).map(|position| (position, pattern));
            violations.extend(found.map(|(position, what)| violation(file, &code, position, what, advice)));
        }
        violations.extend(grouped_imports(file, &code));
    }
    violations
}

fn is_core(file: &File) -> bool {
    let test =
        file.path.ends_with("/tests.rs") || file.path.contains("/tests/") || file.path.contains("/benches/");
    file.path.starts_with("crates/core/") && !test
}

fn violation(file: &File, code: &str, position: usize, what: &str, advice: &str) -> Violation {
    file.violation(line_of(code, position), "purity", format!("`{what}`: {advice}"))
}

/// `use std::{collections::BTreeMap, fs};` hides the name from the plain search.
fn grouped_imports(file: &File, code: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (begin, _) in code.match_indices("std::{") {
        let end = code[begin..].find(';').map_or(code.len(), |length| begin + length);
        for (module, advice) in BANNED_OF_STD {
            let found = words(&code[begin..end], module).next();
            violations.extend(found.map(|offset| violation(file, code, begin + offset, module, advice)));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_core(text: &str, expect: &[&str]) {
        let tree = Tree::of(&[("crates/core/dns/src/answer.rs", text)]);
        let found: Vec<String> = check(&tree).iter().map(|violation| violation.to_string()).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn core_has_no_clock() {
        check_core(
            "//! A.\nlet now = Instant::now();",
            &["crates/core/dns/src/answer.rs:2: purity: `Instant::now`: core gets `now` passed in"],
        );
    }

    #[test]
    fn core_is_not_async() {
        check_core(
            "async fn a() {}",
            &["crates/core/dns/src/answer.rs:1: purity: `async`: core is not async: return effects"],
        );
    }

    #[test]
    fn a_grouped_import_does_not_hide_files() {
        check_core(
            "use std::{\n    fs,\n    net::IpAddr,\n};",
            &[
                "crates/core/dns/src/answer.rs:2: purity: `fs`: core knows no files: move this to an edge crate",
            ],
        );
    }

    #[test]
    fn comments_tests_and_edge_may_speak_of_it() {
        check_core(
            "//! Knows nothing of tokio.\nlet operand = 1;\n#[cfg(test)]\nmod tests { use std::fs; }",
            &[],
        );
        let others =
            [("crates/edge/a/src/lib.rs", "use std::fs;"), ("crates/core/a/benches/b.rs", "Instant::now()")];
        assert_eq!(check(&Tree::of(&others)), []);
    }
}
