//! Size: a function of over 100 lines or a file of over 600 is an error; the goals are 70 and 450, and what lies
//! between is only counted. Tests inside a file do not count for its length.

use super::tree::{Tree, Violation};

const FUNCTION_LIMIT: usize = 100;
const FUNCTION_GOAL: usize = 70;
const FILE_LIMIT: usize = 600;
const FILE_GOAL: usize = 450;

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = long_files(tree);
    violations.extend(long_functions(tree));
    violations.extend(silent_files(tree));
    violations
}

/// How many functions and files miss the goals, as a sentence.
pub(super) fn goals(tree: &Tree) -> String {
    let functions = tree.sources().flat_map(|(_, source)| source.functions());
    let functions = functions.filter(|function| function.lines > FUNCTION_GOAL).count();
    let files = tree.sources().filter(|(_, source)| source.product_lines() > FILE_GOAL).count();
    format!("{functions} functions over {FUNCTION_GOAL} lines, {files} files over {FILE_GOAL}")
}

fn long_files(tree: &Tree) -> Vec<Violation> {
    let long = tree.sources().filter(|(_, source)| source.product_lines() > FILE_LIMIT);
    long.map(|(file, source)| {
        let advice =
            format!("{} lines without tests, at most {FILE_LIMIT}: split it by noun", source.product_lines());
        file.violation(1, "shape", advice)
    })
    .collect()
}

fn long_functions(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, source) in tree.sources() {
        for function in source.functions().iter().filter(|function| function.lines > FUNCTION_LIMIT) {
            let (name, lines) = (&function.name, function.lines);
            let advice = format!("{name} has {lines} lines, at most {FUNCTION_LIMIT}: split it");
            violations.push(file.violation(function.line, "shape", advice));
        }
    }
    violations
}

/// Each module says what it is for before anything else.
fn silent_files(tree: &Tree) -> Vec<Violation> {
    let silent = tree.sources().filter(|(file, _)| !file.text.starts_with("//!"));
    silent.map(|(file, _)| file.violation(1, "shape", "open with `//!`: what this room is for")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(text: &str, expect: &[&str]) {
        let tree = Tree::of(&[("a.rs", text)]);
        let found: Vec<String> = check(&tree).iter().map(|violation| violation.to_string()).collect();
        assert_eq!(found, expect);
    }

    fn function(lines: usize) -> String {
        format!("//! A.\n\nfn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
    }

    #[test]
    fn a_function_has_at_most_100_lines() {
        check_text(&function(100), &[]);
        check_text(&function(101), &["a.rs:3: shape: long has 101 lines, at most 100: split it"]);
    }

    #[test]
    fn a_file_has_at_most_600_lines_besides_its_tests() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(50));
        let body = "const A: u8 = 1;\n";
        check_text(&format!("//! A.\n{}{tests}", body.repeat(599)), &[]);
        check_text(
            &format!("//! A.\n{}{tests}", body.repeat(600)),
            &["a.rs:1: shape: 601 lines without tests, at most 600: split it by noun"],
        );
    }

    #[test]
    fn a_file_opens_with_its_purpose() {
        check_text("use a;\n", &["a.rs:1: shape: open with `//!`: what this room is for"]);
    }

    #[test]
    fn what_misses_the_goals_is_counted() {
        let tree = Tree::of(&[("a.rs", &function(71))]);
        assert_eq!(goals(&tree), "1 functions over 70 lines, 0 files over 450");
    }
}
