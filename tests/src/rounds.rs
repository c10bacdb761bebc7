//! How often a test repeats: few times in CI, many in `cargo xtask soak`.

use std::ffi::OsString;

/// `ci` rounds; under `cargo xtask soak` it is `soak`, or what `--rounds` says.
pub fn rounds(ci: u32, soak: u32) -> u32 {
    let said = std::env::var("ADSUM_SOAK_ROUNDS").ok();
    choose(ci, soak, std::env::var_os("ADSUM_SOAK"), said.as_deref())
}

fn choose(ci: u32, soak: u32, soaking: Option<OsString>, said: Option<&str>) -> u32 {
    match (said, soaking) {
        (Some(count), _) => count.parse().expect("ADSUM_SOAK_ROUNDS is a number"),
        (None, Some(_)) => soak,
        (None, None) => ci,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soak_repeats_more_often_and_a_given_count_wins() {
        assert_eq!(choose(3, 200, None, None), 3);
        assert_eq!(choose(3, 200, Some("1".into()), None), 200);
        assert_eq!(choose(3, 200, Some("1".into()), Some("7")), 7);
    }
}
