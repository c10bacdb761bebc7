//! Where the project and its built programs are, and how cargo is called.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root of the repository")
}

/// The target directory in use: xtask itself is `TARGET/debug/xtask`.
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where xtask runs from")?;
    let target = program.parent().and_then(Path::parent);
    Ok(target.with_context(|| format!("no target directory above {}", program.display()))?.to_path_buf())
}

/// `cargo WORDS` in the root of the repository, with the cargo that runs us.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(words).current_dir(root());
    command
}

/// Runs the command to its end; true when it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> anyhow::Result<bool> {
    let status = command.status().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    Ok(status.success())
}

/// Builds these packages in release mode.
pub(crate) fn build_release(packages: &[&str]) -> anyhow::Result<bool> {
    let mut command = cargo(&["build", "--release"]);
    for package in packages {
        command.args(["--package", package]);
    }
    succeeds(&mut command)
}
