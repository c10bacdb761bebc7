//! `cargo xtask demo chirp`: build in release mode, then become `adsum demo chirp`.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::cargo;

/// Returns only when the build failed or the demo could not be started: exec keeps the terminal's process group,
/// so that Ctrl-C goes to the demo and to nobody in between.
pub(crate) fn run(words: &[String]) -> anyhow::Result<bool> {
    if !cargo::build_release(&["adsum", "chirp"])? {
        return Ok(false);
    }
    let adsum = cargo::target()?.join("release/adsum");
    let error = Command::new(&adsum).arg("demo").args(words).exec();
    Err(anyhow::Error::new(error).context(format!("cannot run {}", adsum.display())))
}
