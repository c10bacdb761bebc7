//! Locks with fences, when holders are stopped, the agent is stopped or killed, the clock jumps, and many wait.

use std::time::Duration;

mod clock;
mod expiry;
mod herd;
mod histories;
mod holders;
mod pause;
mod restart;
mod semaphore;

/// The agent counts time in whole milliseconds from the beginning of one: a lock that was granted late in a millisecond
/// ends by less than this before its time.
const RESOLUTION: Duration = Duration::from_millis(1);
