//! The Redis protocol on the keyspace: bytes to requests, requests to transactions, replies to bytes.
//!
//! [`Parser`] cuts requests out of a read buffer. [`Server::execute`] runs one, and puts the reply, and what others
//! get to hear of it, into the [`Outbox`] of each client. Commands stand in one table ([`command`]), one file per
//! family.
//!
//! Not here: sockets and time-outs (`edge/listen`), durability (`edge/journal`), the lock around a [`Server`]
//! (`app/store`). Nothing here reads a clock or waits.
//!
//! Invariants:
//! - What a command does to keys is one transaction, and a served blocked client has one of its own.
//! - Notifications and blocked clients know only commits, so another face's write has the same effect as a command's.
//! - Everything that leaves has the revision that must be durable first. These revisions never fall for one client.
//! - No allocation follows an announced length; what a client can make grow has a limit that an error names.

mod about;
mod blocking;
mod busy;
mod client;
mod command;
mod commands;
mod cursors;
mod decimal;
mod deferred;
mod described;
mod glob;
mod grants;
mod http;
pub mod limits;
mod lot;
mod multi;
mod notify;
mod number;
mod outbox;
mod parser;
mod pause;
mod readers;
mod refusal;
mod scripts;
mod server;
mod session;
mod settings;
mod subscriptions;
mod tracking;
mod writer;

pub use about::{About, Vitals};
pub use adsum_script::{BUSY_AFTER, Overseer};
pub use busy::answer_while_busy;
pub use client::Ends;
pub use deferred::Deferred;
pub use glob::matches as glob_matches;
pub use outbox::{Outbox, Wake};
pub use parser::{Parsed, Parser, ProtocolError, Request, Requests};
pub use server::{Flow, Server};
pub use session::Session;
pub use writer::{Protocol, Writer};
