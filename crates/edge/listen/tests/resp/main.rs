//! The RESP socket, with real clients and an engine whose durability the test controls.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod blocking;
mod cli;
mod durability;
mod hostile;
mod kit;
mod life;
mod pipeline;
