//! Consul's API, under `/v1`, as its clients know it: paths, parameters, shapes, headers and error texts of Consul.
//!
//! Beside what Adsum runs there is what clients register; every list has both. Who looks at registered checks is
//! `control`. The agent of a node is always well: its death is seen by its own instances.

mod answer;
mod commit;
mod definition;
mod entry;
mod fields;
mod filter;
mod found;
mod given;
mod near;
mod question;

pub(crate) mod absent;
pub(crate) mod agent;
pub(crate) mod catalog;
pub(crate) mod check;
pub(crate) mod checks;
pub(crate) mod event;
pub(crate) mod external;
pub(crate) mod health;
pub(crate) mod host;
pub(crate) mod kv;
pub(crate) mod local;
pub(crate) mod maintenance;
pub(crate) mod metrics;
pub(crate) mod monitor;
pub(crate) mod nodes;
pub(crate) mod operator;
pub(crate) mod query;
pub(crate) mod service;
pub(crate) mod session;
pub(crate) mod snapshot;
pub(crate) mod status;
pub(crate) mod stream;
pub(crate) mod txn;
pub(crate) mod unchanged;
