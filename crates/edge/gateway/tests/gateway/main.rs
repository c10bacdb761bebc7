//! The gateway with real sockets: clients in front of it, backends that are written by hand behind it.
#![allow(clippy::unwrap_used)]

mod kit;
mod plain;
