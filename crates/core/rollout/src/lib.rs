//! Desired and observed make a plan.
//!
//! - [`desire`]: the verbs that change what is wanted of a service, as parts of a transaction.
//! - [`service`]: what is wanted and which instances there are -> which to create, drain, stop, forget.
//! - [`node`]: what the records say and what the keeper sees -> what to start, record, signal, clear away.
//! - [`lint`]: what no plan may do.
//! - [`execute`]: a plan, carried out on the record.
//! - [`receipt`]: what a rollout cost its callers.
//! - [`health`]: the outcomes of probes -> the health of an instance.
//!
//! A plan is a value that leaves no choice to whoever carries it out, and one with nothing to do says what it is
//! waiting on. Nothing here waits, reads a clock or touches a process.

pub mod desire;
pub mod execute;
pub mod health;
pub mod lint;
pub mod node;
pub mod receipt;
pub mod service;
