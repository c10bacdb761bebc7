//! Documentation: every relative link leads somewhere, every decision has its number.

use super::tree::{File, Tree, Violation};

const DECISIONS: &str = "docs/decisions/";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = decisions(tree);
    for file in tree.files().iter().filter(|file| file.path.ends_with(".md")) {
        violations.extend(dead_links(tree, file));
    }
    violations
}

fn decisions(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut last_number = "";
    for file in tree.files() {
        let Some(name) = file.path.strip_prefix(DECISIONS) else { continue };
        match decision_number(name) {
            None => violations.push(file.violation(1, "docs", "name it NNNN-title.md")),
            Some(number) if number == last_number => {
                violations.push(file.violation(
                    1,
                    "docs",
                    format!("{number} is taken: use the next free number"),
                ));
            }
            Some(number) => last_number = number,
        }
    }
    violations
}

/// `0007-watch-windows.md` is decision `0007`.
fn decision_number(name: &str) -> Option<&str> {
    let (number, title) = name.strip_suffix(".md")?.split_once('-')?;
    let digits = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (digits && !title.is_empty() && title.bytes().all(letters)).then_some(number)
}

fn dead_links(tree: &Tree, file: &File) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut fenced = false;
    for (line, text) in (1..).zip(file.text.lines()) {
        if text.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let dead = links(text).filter(|link| !resolves(tree, file, link));
            violations.extend(dead.map(|link| file.violation(line, "docs", format!("{link} leads nowhere"))));
        }
    }
    violations
}

/// The targets of `[text](target)` and of `[label]: target`, outside of `code`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let prose = line.split('`').step_by(2);
    let inline = prose.flat_map(|part| part.split("](").skip(1).filter_map(|rest| rest.split(')').next()));
    let label = line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("]:"));
    let label = label.map(|(_, target)| target).filter(|target| target.starts_with(' '));
    inline.chain(label).filter_map(|target| target.split_whitespace().next())
}

fn resolves(tree: &Tree, file: &File, link: &str) -> bool {
    let target = link.trim_matches(['<', '>']).split('#').next().unwrap_or("");
    let elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
    elsewhere || join(&file.path, target).is_some_and(|path| path.is_empty() || tree.has(&path))
}

/// The target as seen from the file's folder; `None` when it leaves the repository.
fn join(file: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    if target.starts_with('/') {
        parts.clear();
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_files(files: &[(&str, &str)], expect: &[&str]) {
        let found: Vec<String> =
            check(&Tree::of(files)).iter().map(|violation| violation.to_string()).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn a_relative_link_leads_to_a_file_or_folder() {
        let target = ("docs/guide/start.md", "");
        check_files(
            &[
                ("README.md", "See [a](docs/guide/start.md#run), [b](docs/) and [c](https://x.org).\n"),
                target,
            ],
            &[],
        );
        check_files(
            &[("docs/a.md", "[up](../README.md)\n")],
            &["docs/a.md:1: docs: ../README.md leads nowhere"],
        );
        check_files(&[("docs/a.md", "\n[b]: gone.md\n")], &["docs/a.md:2: docs: gone.md leads nowhere"]);
    }

    #[test]
    fn a_link_does_not_leave_the_repository() {
        check_files(&[("a.md", "[out](../b.md)")], &["a.md:1: docs: ../b.md leads nowhere"]);
    }

    #[test]
    fn code_has_no_links() {
        check_files(&[("a.md", "`[a](b)`\n```\n[a](b)\n```\n")], &[]);
    }

    #[test]
    fn a_decision_has_a_number_of_its_own_and_a_title() {
        check_files(
            &[
                ("docs/decisions/0001-a.md", ""),
                ("docs/decisions/0001-b.md", ""),
                ("docs/decisions/scan.md", ""),
            ],
            &[
                "docs/decisions/0001-b.md:1: docs: 0001 is taken: use the next free number",
                "docs/decisions/scan.md:1: docs: name it NNNN-title.md",
            ],
        );
    }
}
