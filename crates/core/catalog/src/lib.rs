//! Nodes, services, versions and instances: where they stand in the system space, and the view of them that DNS,
//! HTTP and the controllers read.
//!
//! [`records`] reads and writes single records inside a transaction: that is how a decision is made on what is true.
//! [`Catalog`] is the whole as of one revision, derived from commits and cheap to clone: that is how a question is
//! answered. [`register`] has the verbs of what clients register beside what runs here, [`Registry`] the view of it, and
//! [`checks`] what follows from what its checks find. Nothing here waits, knows a protocol, or decides what should be.

mod catalog;
pub mod checks;
pub mod records;
pub mod register;
mod registry;

pub use catalog::{Catalog, ServiceState};
pub use registry::{Dated, Key, Registry};
