//! Consul's sessions, and what its clients keep of a key beside the value: flags, and a lock that a session holds.
//!
//! A key of Consul's KV store is a key of user database 0. What Redis has no place for stands in the system space, and
//! changes in the transaction in which the value does:
//!
//! ```text
//! session/ID              the session
//! session-ttl/ID          nothing, until the time to live of the session has run out; not there when it has none
//! session-lock/ID/KEY     nothing: where to look for what the session holds
//! kv/KEY                  flags, lock index, and the session that holds the key
//! lock-delay/KEY          nothing, for as long as nobody may lock a key whose holder was invalidated
//! ```
//!
//! [`kv`] has the verbs on keys, [`txn`] several of them at once, [`session`] those on sessions, [`end`] what becomes of
//! both when a session is over, [`sweep`] what becomes of records whose key Redis clients have deleted, [`check`] what a
//! session may be bound to.
//!
//! Invariants:
//! - A key is held by the session that its record names, whatever has become of that session: until the invalidation is
//!   carried out nobody else gets it, and the session that is over can do nothing with it.
//! - A session whose record has gone holds nothing.
//! - A record that is older than its key is of a key that has gone, and counts for nothing.
//! - Flags and lock index are those of the last write by Consul's verbs, and 0 when somebody else has written since.

pub mod beside;
pub mod check;
pub mod end;
pub mod kv;
mod place;
pub mod session;
pub mod sweep;
pub mod txn;

#[cfg(test)]
mod tests;

pub use beside::Beside;
pub use place::{SESSION, TIME, session_of_time};
pub use session::Session;
