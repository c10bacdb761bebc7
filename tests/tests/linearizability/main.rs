//! What concurrent clients see while the agent is killed and stopped: recorded, and checked against what a correct
//! server could have answered. The checker is `adsum-history`, with its own tests.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod bank;
mod client;
mod counter;
mod fault;
mod locks;
mod recorder;
mod registers;
mod sse;
mod stage;
mod watch;
