//! The RESP socket.
