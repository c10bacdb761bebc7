//! No path of somebody's machine in the repository: it builds and runs anywhere.

use super::source::line_of;
use super::tree::{Tree, Violation};

/// The first folder of paths that exist on one machine only.
const MACHINE: [&str; 3] = ["work", "root", "home"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.files() {
        for folder in MACHINE {
            let path = format!("/{folder}/");
            let begins = file.text.match_indices(&path).map(|(position, _)| position);
            for position in begins.filter(|&position| is_absolute(&file.text, position)) {
                let advice = format!("{path}... is a path of one machine: make it relative");
                violations.push(file.violation(line_of(&file.text, position), "paths", advice));
            }
        }
    }
    violations
}

/// Not the middle of a URL or of a relative path.
fn is_absolute(text: &str, position: usize) -> bool {
    let before = text[..position].chars().next_back();
    !before.is_some_and(|letter| letter.is_alphanumeric() || "_-./~*}>)".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_found_in_any_file() {
        let path = ["", "home", "ada", "adsum"].join("/");
        let tree = Tree::of(&[("README.md", &format!("Run it:\n`{path}/run`\n"))]);
        let found: Vec<String> = check(&tree).iter().map(|violation| violation.to_string()).collect();
        let shown = ["", "home", ""].join("/");
        assert_eq!(
            found,
            [format!("README.md:2: paths: {shown}... is a path of one machine: make it relative")]
        );
    }

    #[test]
    fn urls_and_relative_paths_are_no_machine_paths() {
        let text = format!("https://a.example{0} ./b{0} $HOME{0}", ["", "work", ""].join("/"));
        assert_eq!(check(&Tree::of(&[("a.md", &text)])), []);
    }
}
