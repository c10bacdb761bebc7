//! The keeper as its agent sees it: a process of its own, with real instances.
//!
//! What a machine does not offer (control groups, other users) is printed as `SKIPPED`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod adoption;
mod kit;
mod lifecycle;
mod limits;
mod output;
mod tree;
mod user;
