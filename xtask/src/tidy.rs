//! The rules of the house as a test: each violation is printed as `file:line: rule: what to do`.
//!
//! The rules work on text, not on a syntax tree: a few hundred lines that compile in no time, and each has a
//! small bad example in its tests. What clippy and rustfmt check is not here.

mod arrows;
mod docs;
mod manifest;
mod names;
mod paths;
mod purity;
mod shape;
mod source;
mod tree;
mod words;

use tree::{Tree, Violation};

/// Every rule over the whole repository.
pub(crate) fn run() -> anyhow::Result<bool> {
    let tree = Tree::read(crate::cargo::root())?;
    let violations = check(&tree);
    for violation in &violations {
        println!("{violation}");
    }
    println!("{} files, {} violations; {}", tree.files().len(), violations.len(), shape::goals(&tree));
    Ok(violations.is_empty())
}

fn check(tree: &Tree) -> Vec<Violation> {
    const RULES: [fn(&Tree) -> Vec<Violation>; 8] = [
        arrows::check,
        manifest::check,
        purity::check,
        names::check,
        shape::check,
        words::check,
        paths::check,
        docs::check,
    ];
    RULES.iter().flat_map(|rule| rule(tree)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_itself_can_be_read() {
        let tree = Tree::read(crate::cargo::root()).unwrap();
        assert!(tree.files().iter().any(|file| file.path == "xtask/src/tidy.rs"));
        assert!(tree.files().iter().all(|file| !file.path.starts_with("target/")));
    }

    #[test]
    fn a_violation_says_where_which_rule_and_what_to_do() {
        let tree = Tree::of(&[("crates/core/model/src/lib.rs", "//! Nouns.\nfn later() { todo!() }\n")]);
        let lines: Vec<String> = check(&tree).iter().map(Violation::to_string).collect();
        assert_eq!(
            lines,
            ["crates/core/model/src/lib.rs:2: words: todo! must go: write it, or leave it out"]
        );
    }
}
