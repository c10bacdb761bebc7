//! `cargo xtask bench NAME`: the benchmarks of `bench/`, against the release build of the binary.

use crate::cargo;

pub(crate) fn run(words: &[String]) -> anyhow::Result<bool> {
    if !cargo::build_release(&["adsum"])? {
        return Ok(false);
    }
    let mut command = cargo::cargo(&["run", "--release", "--package", "adsum-bench", "--"]);
    cargo::succeeds(command.args(words))
}
