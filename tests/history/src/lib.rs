//! Histories of concurrent clients, and whether they could have happened.
//!
//! Clients write down what they ask for and what they are told ([`event`]). Calls and returns are put together to
//! operations ([`operation`]), and these are checked in two ways that know nothing of each other:
//!
//! - [`revision`]: the revisions that the server gave out agree with values and with time;
//! - [`register`] and [`lock`]: there is an order in which everything could have happened one by one, found by
//!   [`search`]. A search that runs out of steps is undecided, which is no pass.
//!
//! The checker trusts nobody, and itself neither: `tests/planted.rs` plants one violation of every kind and wants each
//! found, and [`sample`] makes histories that are good by construction.
//!
//! Measured with `examples/speed.rs` in release mode on two cores at 2.5 GHz that others used too (load 1.6): 100,000
//! operations of 20 clients by revision in 0.15 s; 3,000 operations of 8 clients on one key by search in 0.01 s (77,000
//! steps), of 12 clients in 0.10 s (1.1 million steps). Steps grow fast with the operations that overlap, so keep them
//! to 8 or so per key.
//!
//! No clock and no socket is here: who records is in the tests. Nothing here depends on Adsum.
#![allow(clippy::missing_errors_doc, reason = "an error is what a check is for; its variants say which")]

pub mod event;
pub mod lock;
pub mod operation;
pub mod register;
pub mod revision;
pub mod sample;
pub mod search;
pub mod verdict;

pub use event::{Action, Answer, Event, Happened, Outcome};
pub use operation::{History, Operation, Returned};
pub use verdict::Failure;
