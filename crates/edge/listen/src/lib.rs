//! RESP and DNS sockets.
