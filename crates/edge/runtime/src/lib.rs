//! The keeper and the process driver: starts, stops and watches over the processes of instances.
//!
//! Two halves live here, which speak over a Unix socket. [`keeper::run`] is a small process of its own that parents
//! the instances of a node and outlives the agent; [`Keeper`] is the agent's handle on it. Beside them are the
//! questions an agent asks of its machine: who listens on a port ([`listens`]), whether a process still runs ([`Boot`]),
//! and what an instance has said ([`logs`]).
//!
//! Invariants:
//! - A process runs its program only after its pid, start time and boot id are on disk. Whatever is killed and
//!   whenever, the next keeper finds each instance exactly once.
//! - An exit is on disk before it is reported, and it is reported only when nothing of the process tree is left.
//! - No death of an agent or a keeper closes the pipe that an instance writes to.
//!
//! What is not here: when to start or stop anything (`rollout` and `control` decide), ports and their choice, health
//! checks (`probe`), restarts and their pauses. Containers have their own driver.

mod client;
mod clock;
pub mod keeper;
mod listener;
pub mod logs;
mod observed;
mod proc;
mod signal;
mod start;
#[allow(unsafe_code)]
mod sys;
mod wire;

pub use client::{Access, Config, Error, Keeper};
pub use clock::rfc3339;
pub use listener::{Listener, listens, port_is_free};
pub use observed::{ExitStatus, Observed, State, TreeKind};
pub use proc::Boot;
pub use signal::{ParseSignalError, Signal};
pub use start::{Rotation, Start, StartError};
