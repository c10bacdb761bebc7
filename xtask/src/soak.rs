//! `cargo xtask soak`: the end-to-end tests with higher counts, in release mode.

use crate::cargo;

/// `name` filters as `cargo test` does; `rounds` replaces each test's own soak count.
pub(crate) fn run(name: Option<&str>, rounds: Option<u32>) -> anyhow::Result<bool> {
    if !cargo::build_release(&["adsum", "chirp"])? {
        return Ok(false);
    }
    let mut command = cargo::cargo(&["test", "--release", "--package", "adsum-tests"]);
    command.args(name).env("ADSUM_SOAK", "1");
    if let Some(rounds) = rounds {
        command.env("ADSUM_SOAK_ROUNDS", rounds.to_string());
    }
    cargo::succeeds(&mut command)
}
