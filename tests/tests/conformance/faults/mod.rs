//! What can happen to an etcd and to those who use it.

mod loss;
mod past;
mod reply;
mod room;
mod timekeeper;
mod writes;

use std::time::Duration;

use adsum_keyspace::Transaction;

use crate::world::{number, put};

/// Within this a write says that it cannot be done: it gives up after two seconds, and a busy machine needs its time to say
/// so. What waits for etcd itself takes longer.
pub(crate) const FAST: Duration = Duration::from_millis(4500);

pub(crate) fn increment(tx: &mut Transaction<'_>, key: &str) -> u64 {
    let next = number(tx, key) + 1;
    put(tx, key, &next.to_string());
    next
}
