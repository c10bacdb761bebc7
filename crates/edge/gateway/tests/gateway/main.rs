//! The gateway with real sockets: clients in front of it, backends that are written by hand behind it.
#![allow(clippy::unwrap_used)]

mod body;
mod clients;
mod drain;
mod early;
mod ejection;
mod gone;
mod hpack;
mod http2;
mod kit;
mod patience;
mod plain;
mod ports;
mod retry;
mod returns;
mod secure;
mod stop;
mod streams;
mod succession;
