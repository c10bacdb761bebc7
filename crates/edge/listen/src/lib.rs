//! Sockets of this machine: RESP and DNS with their limits and shutdown (bytes in, a core answer, bytes out), and what goes
//! from one agent to the next, or comes from systemd.

pub mod dns;
pub mod handover;
pub mod resp;
pub mod systemd;
