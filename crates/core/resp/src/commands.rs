//! The commands, one file per family.

use crate::command::Command;

mod client;
mod config;
mod connection;
mod counters;
mod expiry;
mod info;
mod introspection;
mod keys;
mod list_blocking;
mod list_edits;
mod list_moves;
pub(crate) mod lists;
mod locks;
mod object;
mod pubsub;
mod scan;
mod server;
mod set;
mod strings;
mod switches;
mod transactions;
mod watches;

/// With the group that Redis' documentation puts them in.
pub(crate) const FAMILIES: &[(&str, &[Command])] = &[
    ("string", strings::COMMANDS),
    ("string", set::COMMANDS),
    ("string", counters::COMMANDS),
    ("generic", keys::COMMANDS),
    ("generic", scan::COMMANDS),
    ("generic", expiry::COMMANDS),
    ("generic", object::COMMANDS),
    ("list", lists::COMMANDS),
    ("list", list_edits::COMMANDS),
    ("list", list_moves::COMMANDS),
    ("list", list_blocking::COMMANDS),
    ("lock", locks::COMMANDS),
    ("lock", switches::COMMANDS),
    ("stream", watches::COMMANDS),
    ("transactions", transactions::COMMANDS),
    ("pubsub", pubsub::COMMANDS),
    ("connection", connection::COMMANDS),
    ("connection", client::COMMANDS),
    ("server", server::COMMANDS),
    ("server", config::COMMANDS),
    ("server", info::COMMANDS),
    ("server", introspection::COMMANDS),
];
