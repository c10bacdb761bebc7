//! Clients that mean harm, against the real binary: each is refused or bounded, and the others are served meanwhile.
//!
//! What reaches an instance is told by an instance that writes down every byte it receives; what the gateway costs
//! meanwhile is read from `/proc`. `docs/framing.md` lists the cases.

#![allow(clippy::unwrap_used)]

mod bombs;
mod connections;
mod http2;
mod meters;
mod raw;
mod slow;
mod smuggling;
mod trust;
mod world;
