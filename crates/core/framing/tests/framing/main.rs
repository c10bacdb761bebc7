//! What is understood of clients and what is refused, what goes to instances and what comes from them, what goes to clients,
//! each case by name: `docs/framing.md` lists them.
//!
//! Every case is tried alone, behind and before a good request, in two pieces cut at every place, and byte by byte.

#![allow(clippy::unwrap_used)]

mod accepted;
mod answering;
mod answers;
mod asking;
mod bodies;
mod exchanges;
mod heads;
mod lengths;
mod limits;
mod listed;
mod parser;
mod properties;
mod speed;
mod try_out;
mod upgrades;
