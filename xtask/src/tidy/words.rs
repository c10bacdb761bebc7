//! Words that must not reach the main line: unfinished code, switched-off tests, notes to self.

use super::source::{line_of, words};
use super::tree::{File, Tree, Violation};

/// In code.
const CODE: [(&str, &str); 5] = [
    ("todo!", "write it, or leave it out"),
    ("unimplemented!", "write it, or leave it out"),
    ("dbg!", "use tracing"),
    ("#[ignore", "a test runs or goes; long runs belong to soak"),
    ("#[should_panic", "assert on the error instead"),
];

/// In comments and in code.
const NOTES: [&str; 3] = ["FIXME", "TODO", "XXX"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, source) in tree.sources() {
        for (word, advice) in CODE {
            violations.extend(found(file, &source.code, word, advice));
        }
        for word in NOTES {
            let advice = "finish it, or open an issue";
            violations.extend(found(file, &source.code, word, advice));
            violations.extend(found(file, &source.comments, word, advice));
        }
    }
    violations
}

fn found(file: &File, text: &str, word: &'static str, advice: &str) -> Vec<Violation> {
    let name = word.trim_start_matches("#[");
    let at = |position| file.violation(line_of(text, position), "words", format!("{name} must go: {advice}"));
    words(text, word).map(at).collect()
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

    #[test]
    fn unfinished_code_is_found() {
        check_text("fn a() {\n    todo!()\n}", &["a.rs:2: words: todo! must go: write it, or leave it out"]);
        check_text("let b = dbg!(a);", &["a.rs:1: words: dbg! must go: use tracing"]);
    }

    #[test]
    fn switched_off_tests_are_found() {
        let expect = "a.rs:1: words: ignore must go: a test runs or goes; long runs belong to soak";
        check_text("#[ignore = \"slow\"]", &[expect]);
        check_text(
            "#[should_panic(expected = \"x\")]",
            &["a.rs:1: words: should_panic must go: assert on the error instead"],
        );
    }

    #[test]
    fn notes_to_self_are_found_in_comments_but_not_in_strings() {
        check_text("// TODO later", &["a.rs:1: words: TODO must go: finish it, or open an issue"]);
        check_text("let a = \"TODO\"; // mkstemp XXXXXX", &[]);
    }
}
