//! The gateway of the real binary under load that does not wait, while services change and backends misbehave.
//!
//! Every request is accounted for, each POST is looked up at the backends, each test proves that its fault has struck, and
//! has a control that does lose requests. What must hold, and the figures of longer runs, are in `docs/reliability.md`.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod changes;
mod failing;
mod half_open;
mod keep_alive;
mod killed;
mod long_lived;
mod slow;
mod storm;
