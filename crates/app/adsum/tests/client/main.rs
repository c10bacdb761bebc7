//! The command line where the agent is missing, silent, or says no. Against real agents it is tested end to end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod http;
mod lock;
mod resp;
mod run;
mod service;
mod usage;
