//! Consul's API, under `/v1`, as its clients know it: paths, parameters, shapes, headers and error texts of Consul.
//!
//! Services are registered by Adsum itself, so what registers and checks them there is not here. A node is always well:
//! its death is seen by its own instances.

mod answer;
mod entry;
mod filter;
mod given;
mod question;

pub(crate) mod agent;
pub(crate) mod catalog;
pub(crate) mod checks;
pub(crate) mod event;
pub(crate) mod health;
pub(crate) mod kv;
pub(crate) mod local;
pub(crate) mod nodes;
pub(crate) mod operator;
pub(crate) mod query;
pub(crate) mod session;
pub(crate) mod snapshot;
pub(crate) mod status;
pub(crate) mod txn;
