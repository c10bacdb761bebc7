//! What `adsum-balance` promises, from outside: shares, movement, bounds, and the table of what is sent again.
#![allow(clippy::unwrap_used)]

mod balancer;
mod budget;
mod class;
mod ejection;
mod exchange;
mod pending;
mod strategies;
