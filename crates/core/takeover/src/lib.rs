//! How a new agent takes over from a running one on the same data: what is said, and who may do what at each step.
//!
//! ```text
//!   new (Taker)                              old (Giver)
//!                  --- Hello -->             serves
//!                  <-- Offer ---             or Refused, and nothing has happened
//!                  --- Take --->             ends its faces and controllers, gives up the journal; its gateway serves
//!                  <-- Sockets, Yours ---
//!   locks and reads the journal, opens everything, and only then accepts
//!                  --- Serving -->           the commit point: accepts nothing more, serves what it has, and ends
//!                  --- Table, <-- Report --- as long as the old one lives
//! ```
//!
//! Until the commit point the old one goes on alone when the new one goes: it takes the journal back and reads what is
//! there. After it the new one goes on alone when the old one goes. The journal's lock decides who writes: neither machine
//! lets go of what the lock protects, or takes it, but behind the effect that says so.
//!
//! Not here: sockets, processes, the lock, how long anything takes (edge and app carry out the effects).

mod giver;
mod message;
mod taker;

pub use giver::{Giver, Giving, Told};
pub use message::{FromNew, FromOld, Hello, Offer, PROTOCOL, Refusal, SocketName, WorkerReport};
pub use taker::{Heard, Taker, Taking};
