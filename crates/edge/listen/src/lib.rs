//! RESP and DNS sockets: bytes in, a core answer, bytes out; limits and shutdown.

pub mod dns;
pub mod resp;
