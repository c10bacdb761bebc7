//! Probes of real listeners and real commands.

#![allow(clippy::unwrap_used)]

mod own;
mod registered;
