//! The face as its clients see it, on a real store: requests in, answers out, without sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agent;
mod blocking;
mod consul;
mod events;
mod face;
mod gateway;
mod guard;
mod kv;
mod logs;
mod maintenance;
mod past;
mod queries;
mod registration;
mod rollouts;
mod services;
mod sessions;
mod stream;
mod switches;
mod txn;
mod watch;
mod why;
mod writes;
