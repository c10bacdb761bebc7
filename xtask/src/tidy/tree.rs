//! The files that the rules look at, read once; tests make small trees in memory.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::source::Source;

/// All files of the repository, by path.
pub(super) struct Tree {
    files: Vec<File>,
}

/// One file; `text` is empty when it is not UTF-8.
pub(super) struct File {
    /// Relative to the root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    /// Only for `.rs` files.
    pub(super) source: Option<Source>,
}

/// One place where a rule does not hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) path: String,
    pub(super) line: usize,
    pub(super) rule: &'static str,
    pub(super) advice: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}: {}: {}", self.path, self.line, self.rule, self.advice)
    }
}

impl Tree {
    /// Reads everything below `root` but git's own files and what cargo built.
    pub(super) fn read(root: &Path) -> anyhow::Result<Tree> {
        let mut paths = Vec::new();
        list(root, &mut paths)?;
        paths.sort();
        let files = paths.iter().map(|path| File::read(root, path)).collect::<anyhow::Result<_>>()?;
        Ok(Tree { files })
    }

    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// The `.rs` files with their scanned source.
    pub(super) fn sources(&self) -> impl Iterator<Item = (&File, &Source)> {
        self.files.iter().filter_map(|file| Some((file, file.source.as_ref()?)))
    }

    /// Whether a file or folder of this path exists.
    pub(super) fn has(&self, path: &str) -> bool {
        self.files.iter().any(|file| {
            file.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Tree {
        let files = files.iter().map(|(path, text)| File::new(path.to_string(), text.to_string()));
        Tree { files: files.collect() }
    }
}

impl File {
    fn read(root: &Path, path: &Path) -> anyhow::Result<File> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let path = path.strip_prefix(root).expect("it was listed below the root");
        Ok(File::new(path.to_string_lossy().into_owned(), String::from_utf8(bytes).unwrap_or_default()))
    }

    fn new(path: String, text: String) -> File {
        let source = path.ends_with(".rs").then(|| Source::scan(&text));
        File { path, text, source }
    }

    /// The last part of the path.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().expect("a split has at least one part")
    }

    pub(super) fn violation(&self, line: usize, rule: &'static str, advice: impl Into<String>) -> Violation {
        Violation { path: self.path.clone(), line, rule, advice: advice.into() }
    }
}

fn list(folder: &Path, paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && !matches!(entry.file_name().to_str(), Some("target" | ".git")) {
            list(&entry.path(), paths)?;
        } else if kind.is_file() && !entry.file_name().to_string_lossy().ends_with(".swp") {
            paths.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_exists_when_a_file_lies_in_it() {
        let tree = Tree::of(&[("docs/guide/start.md", "")]);
        assert!(tree.has("docs/guide"));
        assert!(tree.has("docs/guide/start.md"));
        assert!(!tree.has("docs/gui"));
    }
}
