//! Client libraries of other languages, and the programs in `tests/clients/` that use them.
//!
//! A language's lock file says what belongs to it, to the last version. It is installed below the target directory once
//! per content of that file, by the language's own installer, without compiling and without running anything of it.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::component::{absent, require};

/// An installer that gets no answer gives up after so many seconds.
const PATIENCE: &str = "300";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Python,
    JavaScript,
}

/// The program of this name, ready to be run with the libraries of its language; without them the skip is recorded and
/// the test has to return, as with [`require`].
#[track_caller]
#[must_use = "a test whose libraries are missing returns"]
pub fn program(language: Language, name: &str) -> Option<Command> {
    Some(language.command(&libraries(language)?, name))
}

/// A program that a package of Python brings along whole, in a language of its own, ready to be run; without it as with
/// [`program`].
#[track_caller]
#[must_use = "a test whose libraries are missing returns"]
pub fn packaged(name: &str) -> Option<Command> {
    let path = libraries(Language::Python)?.join("bin").join(name);
    assert!(path.is_file(), "{} is missing: no package of requirements.txt has it", path.display());
    Some(Command::new(path))
}

/// The folder of what the lock file names; nothing, and the skip recorded, where that cannot be had.
#[track_caller]
fn libraries(language: Language) -> Option<PathBuf> {
    if !language.needs().into_iter().all(require) {
        return None;
    }
    let found = installed(language, &crate::program::target().join("clients"));
    found.map_err(|reason| absent(&format!("the libraries of {language:?}: {reason}"))).ok()
}

/// The folder that has them. Only one process and thread installs at a time; a folder with its final name is whole.
fn installed(language: Language, parent: &Path) -> Result<PathBuf, String> {
    let place = parent.join(format!("{}-{:016x}", language.folder(), language.key()));
    std::fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
    let turn = File::create(parent.join("lock")).and_then(|file| file.lock().map(|()| file));
    let _turn = turn.map_err(|error| format!("the lock in {}: {error}", parent.display()))?;
    if !place.is_dir() {
        let unfinished = place.with_extension("unfinished");
        install(language, &unfinished)?;
        std::fs::rename(&unfinished, &place).map_err(|error| format!("{}: {error}", place.display()))?;
    }
    Ok(place)
}

fn install(language: Language, folder: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(failed)?;
    }
    std::fs::create_dir(folder).map_err(failed)?;
    let output = language.installer(folder).map_err(failed)?.output().map_err(failed)?;
    let said = [output.stdout, output.stderr].concat();
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("installing ended with {}: {}", output.status, last_lines(&said))),
    }
}

fn last_lines(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join(" / ")
}

impl Language {
    /// The interpreter and the installer, as `tests/components.txt` has them.
    fn needs(self) -> [&'static str; 2] {
        match self {
            Language::Python => ["python3", "pip3"],
            Language::JavaScript => ["node", "npm"],
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Language::Python => "python",
            Language::JavaScript => "javascript",
        }
    }

    fn lock_file(self) -> &'static str {
        match self {
            Language::Python => "requirements.txt",
            Language::JavaScript => "package-lock.json",
        }
    }

    /// Where its programs and its lock file are.
    fn source(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(self.folder())
    }

    fn key(self) -> u64 {
        let path = self.source().join(self.lock_file());
        let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        hasher.finish()
    }

    fn installer(self, folder: &Path) -> std::io::Result<Command> {
        let source = self.source();
        let mut command = Command::new("timeout");
        command.arg(PATIENCE);
        match self {
            Language::Python => {
                command.args([
                    "python3",
                    "-m",
                    "pip",
                    "install",
                    "--no-deps",
                    "--only-binary",
                    ":all:",
                    "--quiet",
                ]);
                command.arg("--target").arg(folder).arg("--requirement").arg(source.join(self.lock_file()));
            }
            Language::JavaScript => {
                for name in ["package.json", self.lock_file()] {
                    std::fs::copy(source.join(name), folder.join(name))?;
                }
                // Not `npm ci`: some of its versions miss the packages for other systems that others leave out of the lock.
                command.args(["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]);
                command.current_dir(folder);
            }
        }
        Ok(command)
    }

    fn command(self, libraries: &Path, name: &str) -> Command {
        let program = self.source().join(name);
        assert!(program.is_file(), "{} is missing", program.display());
        match self {
            Language::Python => {
                let mut command = Command::new("python3");
                // Nothing is written beside the sources.
                command.env("PYTHONPATH", libraries).env("PYTHONDONTWRITEBYTECODE", "1").arg(program);
                command
            }
            Language::JavaScript => {
                let mut command = Command::new("node");
                command.env("NODE_PATH", libraries.join("node_modules")).arg(program);
                command
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;

    #[test]
    fn what_is_installed_is_not_installed_again() {
        let scratch = Scratch::new();
        let place = format!("python-{:016x}", Language::Python.key());
        std::fs::create_dir(scratch.path().join(&place)).unwrap();
        assert_eq!(installed(Language::Python, scratch.path()), Ok(scratch.path().join(place)));
    }

    #[test]
    fn only_the_last_lines_of_an_installer_are_quoted() {
        let lines: Vec<String> = (0..9).map(|number| number.to_string()).collect();
        assert_eq!(last_lines(lines.join("\n").as_bytes()), "4 / 5 / 6 / 7 / 8");
        assert_eq!(last_lines(b"one"), "one");
    }
}
