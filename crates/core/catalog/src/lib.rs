//! Nodes, services, versions and instances: where they stand in the system space, and the view of them that DNS,
//! HTTP and the controllers read.
//!
//! [`records`] reads and writes single records inside a transaction: that is how a decision is made on what is true.
//! [`Catalog`] is the whole as of one revision, derived from commits and cheap to clone: that is how a question is
//! answered. Nothing here waits, knows a protocol, or decides what should be.

mod catalog;
pub mod records;

pub use catalog::{Catalog, ServiceState};
