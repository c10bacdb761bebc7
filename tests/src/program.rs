//! Where the programs under test are: beside the test binary, unless the environment says otherwise.

use std::path::{Path, PathBuf};

/// The `adsum` binary: `ADSUM_BIN`, or the one built into the same target directory.
pub fn adsum() -> PathBuf {
    std::env::var_os("ADSUM_BIN").map_or_else(|| built("adsum"), PathBuf::from)
}

/// The `chirp` binary: `CHIRP_BIN`, or the one built into the same target directory.
pub fn chirp() -> PathBuf {
    std::env::var_os("CHIRP_BIN").map_or_else(|| built("chirp"), PathBuf::from)
}

/// The service under test, `src/bin/backend.rs`: built with every test of this package.
pub(crate) fn backend() -> PathBuf {
    built("backend")
}

/// The target directory: a test binary is `TARGET/debug/deps/NAME`.
pub(crate) fn target() -> PathBuf {
    profile().parent().expect("a profile lies in the target directory").to_path_buf()
}

fn built(name: &str) -> PathBuf {
    let path = profile().join(name);
    assert!(path.is_file(), "{} is missing: run `cargo build -p {name}` first", path.display());
    path
}

fn profile() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    test.ancestors().nth(2).map(Path::to_path_buf).expect("a test binary lies in TARGET/PROFILE/deps")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_directory_is_above_the_test_binary() {
        assert!(std::env::current_exe().unwrap().starts_with(target()));
        assert!(profile().join("deps").is_dir());
    }
}
