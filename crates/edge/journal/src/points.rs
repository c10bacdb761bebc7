//! Named places at which a test ends the process, as a kill or a power cut would at the worst moment.
//!
//! `ADSUM_FAILPOINT=NAME` kills it there, `NAME:N` the N-th time that it comes there. Only builds for tests listen: those
//! with debug assertions, or with the feature `failpoints`. In a release nothing of this is left but the list.

/// All of them.
pub const POINTS: [&str; 22] = [
    "append-before-write",
    "append-after-write",
    "append-before-sync",
    "append-after-sync",
    "acknowledge-before",
    "acknowledge-after",
    "segment-before-write",
    "segment-after-write",
    "segment-before-rename",
    "segment-after-rename",
    "segment-after-directory-sync",
    "segment-before-removal",
    "segment-after-removal",
    "snapshot-before-write",
    "snapshot-after-write",
    "snapshot-before-rename",
    "snapshot-after-rename",
    "snapshot-after-directory-sync",
    "snapshot-before-removal",
    "snapshot-after-removal",
    "mark-before-write",
    "mark-after-sync",
];

/// Whether this build listens.
pub const ARMED: bool = cfg!(any(debug_assertions, feature = "failpoints"));

/// The process has come to a point.
#[inline]
pub(crate) fn reach(point: &str) {
    if ARMED {
        armed::reach(point);
    }
}

/// The process has come to a point in the life of a segment or a snapshot, told by the file's name.
#[inline]
pub(crate) fn reach_with(file: &str, step: &str) {
    if ARMED {
        armed::reach_with(file, step);
    }
}

/// A size in bytes that tests make smaller, so that what happens once in a hundred megabytes happens soon.
#[must_use]
pub fn size(variable: &str, size: u64) -> u64 {
    let said = if ARMED { std::env::var(variable).ok() } else { None };
    said.map_or(size, |said| said.parse().unwrap_or(size))
}

mod armed {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };

    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };

    use super::POINTS;
    use crate::name::Name;

    /// Where the process is to end.
    struct Target {
        point: String,
        /// How often it goes past before.
        rest: AtomicU64,
    }

    static TARGET: LazyLock<Option<Target>> = LazyLock::new(|| {
        let said = std::env::var("ADSUM_FAILPOINT").ok()?;
        let (point, count) = said.split_once(':').unwrap_or((&said, "1"));
        let count: u64 = count.parse().expect("ADSUM_FAILPOINT is NAME or NAME:N");
        assert!(POINTS.contains(&point) && count > 0, "ADSUM_FAILPOINT={said}: there is no such point");
        Some(Target { point: point.to_owned(), rest: AtomicU64::new(count - 1) })
    });

    pub(super) fn reach(point: &str) {
        debug_assert!(POINTS.contains(&point), "{point} is not in the list");
        let Some(target) = TARGET.as_ref().filter(|target| target.point == point) else { return };
        let passed =
            target.rest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |rest| rest.checked_sub(1));
        if passed.is_err() {
            // Nothing is to happen after this, not even on this thread.
            let _ = kill(Pid::this(), Signal::SIGKILL);
            loop {
                std::thread::park();
            }
        }
    }

    pub(super) fn reach_with(file: &str, step: &str) {
        let kind = match Name::parse(file) {
            Some(Name::Segment(_)) => "segment",
            Some(Name::Snapshot(_)) => "snapshot",
            Some(Name::Temporary) | None => return,
        };
        if TARGET.is_some() {
            reach(&format!("{kind}-{step}"));
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::name;

        #[test]
        fn files_without_a_point_and_builds_without_a_target_go_on() {
            reach_with(&name::torn(&name::segment(1), 5), "before-write");
            reach_with(&name::segment(1), "before-write");
            reach("append-before-write");
        }
    }
}
