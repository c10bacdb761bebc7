//! The table from the outside: catalogs in, answers out.
#![allow(clippy::unwrap_used)]

mod barrier;
mod encodings;
mod kit;
mod pools;
mod ports;
mod problems;
mod properties;
mod ranks;
mod redirects;
mod rules;
mod saved;
mod shares;
