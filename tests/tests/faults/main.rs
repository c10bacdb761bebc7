//! Faults of disk, filesystem and process against the real binary: what was acknowledged is there afterwards.
//!
//! Each test proves that its fault has struck, and the harness is shown to bite by a store that is known to lose. What
//! must hold, and the figures of longer runs, are in `docs/reliability.md`.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod double_start;
mod failed_sync;
mod filesystem;
mod full;
mod fuzzing;
mod load;
mod points;
mod power;
mod read_only;
mod slow_disk;
mod strace;
