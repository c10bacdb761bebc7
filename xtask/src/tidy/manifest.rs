//! `Cargo.toml` files: read line by line, because a rule wants the line; lints and dependencies are said once, in
//! the root.

use super::tree::{File, Tree, Violation};

/// One package of the workspace.
pub(super) struct Manifest<'a> {
    pub(super) file: &'a File,
    pub(super) name: &'a str,
    pub(super) dependencies: Vec<Dependency<'a>>,
    workspace_lints: bool,
}

/// One line of a dependency section.
pub(super) struct Dependency<'a> {
    pub(super) line: usize,
    pub(super) name: &'a str,
    /// Only tests and benchmarks see it.
    pub(super) development: bool,
    /// Comes from `[workspace.dependencies]`.
    inherited: bool,
}

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for manifest in manifests(tree) {
        if !manifest.workspace_lints {
            violations.push(manifest.file.violation(1, "manifest", "add `[lints]` with `workspace = true`"));
        }
        for dependency in manifest.dependencies.iter().filter(|dependency| !dependency.inherited) {
            let advice =
                format!("take {} from [workspace.dependencies]: `workspace = true`", dependency.name);
            violations.push(manifest.file.violation(dependency.line, "manifest", advice));
        }
    }
    violations
}

/// The packages of the workspace: not the root manifest, which is no package, nor a package that is a workspace of its
/// own and can inherit nothing (`fuzz`).
pub(super) fn manifests(tree: &Tree) -> Vec<Manifest<'_>> {
    let files = tree.files().iter().filter(|file| file.name() == "Cargo.toml");
    let says = |file: &File, section: &str| file.text.lines().any(|line| line.trim() == section);
    files.filter(|file| says(file, "[package]") && !says(file, "[workspace]")).map(Manifest::parse).collect()
}

impl<'a> Manifest<'a> {
    fn parse(file: &'a File) -> Manifest<'a> {
        let mut manifest = Manifest { file, name: "", dependencies: Vec::new(), workspace_lints: false };
        let mut section = "";
        for (line, text) in (1..).zip(file.text.lines()) {
            let text = text.trim();
            if let Some(header) = text.strip_prefix('[').and_then(|text| text.split(']').next()) {
                section = header;
                manifest.header(line, header);
            } else if let Some((key, value)) = text.split_once('=').filter(|_| !text.starts_with('#')) {
                manifest.entry(line, section, key.trim(), value.trim());
            }
        }
        manifest
    }

    /// `[dependencies.NAME]` is a dependency by itself.
    fn header(&mut self, line: usize, header: &'a str) {
        if let Some((section, name)) =
            header.rsplit_once('.').filter(|(section, _)| lists_dependencies(section))
        {
            self.dependencies.push(Dependency {
                line,
                name,
                development: is_development(section),
                inherited: false,
            });
        }
    }

    fn entry(&mut self, line: usize, section: &'a str, key: &'a str, value: &'a str) {
        match section {
            "package" if key == "name" => self.name = value.trim_matches('"'),
            "lints" if key == "workspace" => self.workspace_lints = value == "true",
            section if lists_dependencies(section) => self.dependency(line, section, key, value),
            section if section.rsplit_once('.').is_some_and(|(section, _)| lists_dependencies(section)) => {
                self.detail(key, value);
            }
            _ => {}
        }
    }

    fn dependency(&mut self, line: usize, section: &str, key: &'a str, value: &'a str) {
        let name = key.split('.').next().unwrap_or(key);
        let inherited = key.ends_with(".workspace") || value.replace(' ', "").contains("workspace=true");
        self.dependencies.push(Dependency { line, name, development: is_development(section), inherited });
    }

    fn detail(&mut self, key: &str, value: &str) {
        if let Some(dependency) = self.dependencies.last_mut().filter(|_| key == "workspace") {
            dependency.inherited = value == "true";
        }
    }
}

/// `dependencies`, `dev-dependencies`, `build-dependencies`, and the same under `target.'cfg(..)'`.
/// The section of a package that is a workspace by itself lists versions, not what it takes.
fn lists_dependencies(section: &str) -> bool {
    let last = section.rsplit('.').next().unwrap_or(section);
    section != "workspace.dependencies"
        && matches!(last, "dependencies" | "dev-dependencies" | "build-dependencies")
}

fn is_development(section: &str) -> bool {
    section.ends_with("dev-dependencies")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_manifest(text: &str, expect: &[&str]) {
        let tree = Tree::of(&[("crates/core/dns/Cargo.toml", text)]);
        let found: Vec<String> = check(&tree).iter().map(|violation| violation.to_string()).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn a_manifest_uses_the_lints_of_the_workspace() {
        check_manifest("[package]\nname = \"a\"\n[lints]\nworkspace = true\n", &[]);
        check_manifest(
            "[package]\nname = \"a\"\n",
            &["crates/core/dns/Cargo.toml:1: manifest: add `[lints]` with `workspace = true`"],
        );
    }

    #[test]
    fn a_dependency_is_said_once_in_the_root() {
        check_manifest(
            "[package]\n[lints]\nworkspace = true\n[dependencies]\na.workspace = true\nb = { workspace = true }\n\
             c = \"1\"\n[dependencies.d]\nworkspace = true\n",
            &[
                "crates/core/dns/Cargo.toml:7: manifest: take c from [workspace.dependencies]: `workspace = true`",
            ],
        );
    }

    #[test]
    fn names_and_sections_are_read() {
        let tree = Tree::of(&[(
            "a/Cargo.toml",
            "[package]\nname = \"adsum-a\"\n[target.'cfg(unix)'.dev-dependencies]\n# x = 1\nnix.workspace = true\n",
        )]);
        let manifests = manifests(&tree);
        assert_eq!(manifests[0].name, "adsum-a");
        let dependency = &manifests[0].dependencies[0];
        assert_eq!((dependency.name, dependency.line, dependency.development), ("nix", 5, true));
    }
}
