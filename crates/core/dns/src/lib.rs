//! DNS: a question and a catalog view make an answer.
//!
//! [`answer`] is the whole: the bytes of a message in, the bytes of its answer out. What lies between, in the order in
//! which a question passes:
//!
//! ```text
//! bytes -> request -> zone -> subject -> reply -> message -> bytes
//!          what was   ours?   what the   records  within the
//!          asked              name is             size limit
//! ```
//!
//! Not here: sockets, clocks, recursion, caches, zone files, transfers, signatures. The wire format of names and
//! records is hickory-proto's.
//!
//! Invariants:
//! - No input panics, and none costs more than its own length plus the length of its answer.
//! - A message that is itself an answer is never answered, so that two servers cannot talk for ever.
//! - Only routable instances are found, whatever the form of the name.
//! - Equal inputs make equal bytes: the order of a list is turned by the id of the query, not by chance.

mod answer;
mod config;
mod limiter;
mod message;
mod place;
mod recent;
mod reply;
mod request;
mod reverse;
mod subject;
mod zone;

pub use answer::{Answer, Transport, answer, truncated, unreachable};
pub use config::Config;
pub use limiter::{Limiter, Verdict};
pub use recent::Recent;
pub use zone::{Targets, Zone, ZoneError};

#[cfg(test)]
mod tests;
