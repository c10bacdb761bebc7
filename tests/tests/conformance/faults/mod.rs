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

/// Within this a write says that it cannot be done. The time that a busy machine needs to say so is in it.
pub(crate) const FAST: Duration = Duration::from_millis(2500);

pub(crate) fn increment(tx: &mut Transaction<'_>, key: &str) -> u64 {
    let next = number(tx, key) + 1;
    put(tx, key, &next.to_string());
    next
}
