//! Planned changes of services under load that does not wait: every request is accounted for, each POST is looked up at
//! the instances, and each test has a control that loses. What must hold, and the figures of longer runs, are in
//! `docs/reliability.md`.
//!
//! The instances are not polite: they end in the middle of an answer when they are told to end, close idle connections,
//! or do not listen at all. What keeps requests whole is the order in which they are let go.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod bad;
mod changes;
mod control;
mod everything;
mod killed;
mod past;
mod row;
