//! The commands, one file per family.

use crate::command::Command;

mod acl;
mod bitfields;
mod bits;
mod client;
mod cluster;
mod config;
pub(crate) mod connection;
mod counters;
mod debug;
mod draws;
mod expiry;
mod hashes;
mod info;
mod introspection;
mod keys;
mod lcs;
mod list_blocking;
mod list_edits;
mod list_moves;
pub(crate) mod lists;
mod locks;
mod member_scan;
mod monitoring;
pub(crate) mod object;
mod pubsub;
mod scan;
pub(crate) mod scripts;
mod sentinel;
mod server;
mod set;
mod set_algebra;
mod sets;
mod sort;
mod sorted_algebra;
pub(crate) mod sorted_pops;
mod sorted_ranges;
mod sorted_sets;
mod stream_groups;
mod stream_ids;
mod stream_info;
mod stream_pending;
pub(crate) mod stream_reads;
mod stream_trims;
mod streams;
mod strings;
mod switches;
mod tracking;
pub(crate) mod transactions;
mod watches;

/// With the group that Redis' documentation puts them in.
pub(crate) const FAMILIES: &[(&str, &[Command])] = &[
    ("string", strings::COMMANDS),
    ("string", set::COMMANDS),
    ("string", counters::COMMANDS),
    ("string", lcs::COMMANDS),
    ("bitmap", bits::COMMANDS),
    ("bitmap", bitfields::COMMANDS),
    ("generic", keys::COMMANDS),
    ("generic", scan::COMMANDS),
    ("generic", expiry::COMMANDS),
    ("generic", object::COMMANDS),
    ("list", lists::COMMANDS),
    ("list", list_edits::COMMANDS),
    ("list", list_moves::COMMANDS),
    ("list", list_blocking::COMMANDS),
    ("hash", hashes::COMMANDS),
    ("set", sets::COMMANDS),
    ("set", set_algebra::COMMANDS),
    ("sorted-set", sorted_sets::COMMANDS),
    ("sorted-set", sorted_ranges::COMMANDS),
    ("sorted-set", sorted_pops::COMMANDS),
    ("sorted-set", sorted_algebra::COMMANDS),
    ("generic", member_scan::COMMANDS),
    ("generic", sort::COMMANDS),
    ("lock", locks::COMMANDS),
    ("lock", switches::COMMANDS),
    ("stream", streams::COMMANDS),
    ("stream", stream_reads::COMMANDS),
    ("stream", stream_groups::COMMANDS),
    ("stream", stream_pending::COMMANDS),
    ("stream", stream_info::COMMANDS),
    ("transactions", transactions::COMMANDS),
    ("scripting", scripts::COMMANDS),
    ("pubsub", pubsub::COMMANDS),
    ("connection", connection::COMMANDS),
    ("connection", client::COMMANDS),
    ("connection", cluster::COMMANDS),
    ("connection", sentinel::COMMANDS),
    ("server", server::COMMANDS),
    ("server", debug::COMMANDS),
    ("server", acl::COMMANDS),
    ("server", monitoring::COMMANDS),
    ("server", config::COMMANDS),
    ("server", info::COMMANDS),
    ("server", introspection::COMMANDS),
];
