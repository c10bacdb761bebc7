//! Locks with fences, when holders are stopped, the agent is stopped or killed, the clock jumps, and many wait.

mod clock;
mod expiry;
mod herd;
mod histories;
mod holders;
mod pause;
mod restart;
mod semaphore;
