//! Desired and observed make a plan.
//!
//! - [`desire`]: the verbs that change what is wanted of a service, as parts of a transaction.
//! - [`service`]: what is wanted and which instances there are -> which to create, drain, stop, forget.
//! - [`node`]: what the records say and what the keeper sees -> what to start, record, signal, clear away.
//! - [`health`]: the outcomes of probes -> the health of an instance.
//!
//! A plan is a value that leaves no choice to whoever carries it out, and one with nothing to do says what it is
//! waiting on. Nothing here waits, reads a clock or touches a process.

pub mod desire;
pub mod health;
pub mod node;
pub mod service;
