//! The face as its clients see it, on a real store: requests in, answers out, without sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

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
mod registration;
mod rollouts;
mod services;
mod switches;
mod watch;
mod why;
mod writes;
