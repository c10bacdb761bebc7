//! Commands as a client sees them: bytes in, bytes out, on virtual time.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod aggregates;
mod blocking;
mod busy;
mod connection;
mod differential;
mod errors;
mod generated;
mod harness;
mod keys;
mod lists;
mod lock_libraries;
mod locks;
mod notifications;
mod pauses;
mod pubsub;
mod robustness;
mod scan;
mod script_words;
mod scripts;
mod server;
mod streams;
mod strings;
mod talk;
mod tracking;
mod transactions;
mod watches;
