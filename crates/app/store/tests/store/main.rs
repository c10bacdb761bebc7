//! The store on a real disk: what is acknowledged is there after a restart, what is watched has no gaps, time is kept.

// A test says what it expects by failing.
#![allow(clippy::unwrap_used)]

mod clock;
mod directory;
mod durability;
mod kit;
mod older;
mod past;
mod revisions;
mod watch;
