//! `cargo xtask soak`: the end-to-end tests with higher counts, in release mode, with the journal's named points and what
//! tests switch off in the controllers, which a release does not have.

use crate::cargo;

const POINTS: [&str; 2] = ["--features", "adsum-journal/failpoints"];
const SWITCHES: [&str; 4] = ["--package", "adsum-control", "--features", "adsum-control/failpoints"];

/// `name` is a folder of `tests/tests`, or filters as `cargo test` does; `rounds` replaces each test's own soak count.
pub(crate) fn run(name: Option<&str>, rounds: Option<u32>) -> anyhow::Result<bool> {
    let mut build = cargo::cargo(&["build", "--release", "--package", "adsum", "--package", "chirp"]);
    if !cargo::succeeds(build.args(["--package", "adsum-journal"]).args(POINTS).args(SWITCHES))? {
        return Ok(false);
    }
    let mut command = cargo::cargo(&["test", "--release", "--package", "adsum-tests"]);
    command.args(POINTS).env("ADSUM_SOAK", "1");
    match name {
        Some(name) if cargo::root().join("tests/tests").join(name).is_dir() => command.args(["--test", name]),
        name => command.args(name),
    };
    if let Some(rounds) = rounds {
        command.env("ADSUM_SOAK_ROUNDS", rounds.to_string());
    }
    cargo::succeeds(&mut command)
}
