//! The keyspace on etcd: the second engine.
//!
//! etcd is the truth. Every process keeps a view of it, a [`adsum_keyspace::Keyspace`] that is fed by one watch and by
//! nothing else, and a transaction is tried on that view before etcd decides whether it holds:
//!
//! ```text
//! transact -> view: attempt, rolled back -> Plan { what it has read is as it was; rows, one event record }
//!                 ^                               |
//!                 |                               v etcd: one Txn, all or nothing
//!                 +---- watch of the event record-+     conflict: catch up with etcd, and try again
//! ```
//!
//! Every transaction puts the one *event record* together with its rows, so that the watch of a single key delivers all
//! commits in order, with their causes. Rows are read only by who begins.
//!
//! Not here: what a transaction does (`core`), who is given which engine (`app`), consensus (etcd).
//!
//! Invariants:
//! - The view goes on only by event records, in the order of etcd, and never back.
//! - No transaction is applied twice: whether a lost reply was a success is found out before it is tried again, or it
//!   is answered as unknown.
//! - A key is gone when its `expired` is read from etcd, and not before. Only the timekeeper writes that.

mod clock;
mod engine;
mod error;
mod feed;
mod layout;
mod link;
mod load;
mod plan;
mod protocol;
mod record;
mod requests;
mod row;
mod session;
mod shared;
#[cfg(test)]
mod simulation;
mod timekeeper;
mod transact;
mod view;
mod watch;

pub use engine::{Done, Engine, Local, Options, raise_base};
pub use error::{Error, OpenError, TooBig, Unavailable};
pub use watch::{Ended, Published, Watch};
