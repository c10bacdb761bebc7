//! Listeners that share an address, one for each worker.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted, for each worker.
const BACKLOG: i32 = 4096;

/// `count` listeners (at least one) on the same address; port 0 is any one port for all. A port that somebody else
/// listens on is refused even where SO_REUSEPORT would share it.
pub(crate) fn bind(addr: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    if addr.port() != 0 {
        // Two processes of one user could share the port without noticing, each getting half of the clients. A
        // socket that does not agree to share finds out.
        socket(addr, false)?;
    }
    let first = listener(addr)?;
    let addr = first.local_addr()?;
    let others = (1..count).map(|_| listener(addr));
    std::iter::once(Ok(first)).chain(others).collect()
}

fn listener(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(addr, true)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A bound socket.
fn socket(addr: SocketAddr, share: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::bind;

    #[test]
    fn port_that_somebody_else_has_is_refused() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = bind(other.local_addr().unwrap(), 2).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    }

    #[test]
    fn all_listeners_have_the_one_port_that_was_free() {
        let listeners = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let ports: Vec<u16> =
            listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        assert_eq!(ports, [ports[0]; 3]);
    }
}
