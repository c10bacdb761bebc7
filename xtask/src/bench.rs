//! `cargo xtask bench NAME`: the benchmarks of `bench/`, against the release build of the binary.

use crate::cargo;

pub(crate) fn run(words: &[String]) -> anyhow::Result<bool> {
    // The instances that are rolled out are a program of the test kit.
    let starts_instances = |word: &String| ["discovery", "rollout", "scale-up"].contains(&word.as_str());
    let kit: &[&str] = if words.first().is_some_and(starts_instances) { &["adsum-tests"] } else { &[] };
    if !cargo::build_release(&[&["adsum"], kit].concat())? {
        return Ok(false);
    }
    let mut command = cargo::cargo(&["run", "--release", "--package", "adsum-bench", "--"]);
    cargo::succeeds(command.args(words))
}
