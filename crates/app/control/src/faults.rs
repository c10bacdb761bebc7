//! What a test switches off, to show that something is lost without it. Only builds for tests listen: those with debug
//! assertions, or with the feature `failpoints`. A release does not read the variable.

use std::sync::LazyLock;

/// Whether this build listens.
const ARMED: bool = cfg!(any(debug_assertions, feature = "failpoints"));

/// Whether nobody is waited for before an instance is told to end: `ADSUM_UNSAFE_SKIP_BARRIER=1`.
pub(crate) fn barrier_is_skipped() -> bool {
    static SAID: LazyLock<bool> = LazyLock::new(|| {
        let said = std::env::var_os("ADSUM_UNSAFE_SKIP_BARRIER").is_some_and(|value| value == "1");
        if said {
            tracing::warn!(
                "ADSUM_UNSAFE_SKIP_BARRIER=1: instances are ended without asking who still routes to them"
            );
        }
        said
    });
    ARMED && *SAID
}
