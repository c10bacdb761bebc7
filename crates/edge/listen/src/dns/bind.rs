//! Two sockets with one port.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// The sockets of the DNS face, not yet served.
#[derive(Debug)]
pub struct Bound {
    /// Of both sockets, with the port that they got.
    pub addr: SocketAddr,
    udp: UdpSocket,
    tcp: TcpListener,
}

/// Why the sockets could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for DNS on {addr} over {protocol}")]
pub struct BindError {
    pub addr: SocketAddr,
    pub protocol: Protocol,
    #[source]
    pub source: io::Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Udp,
    Tcp,
}

/// How often another port is tried when the one that was free over TCP is taken over UDP.
const ATTEMPTS: u32 = 64;

/// Binds both sockets to the address; port 0 stands for any that is free over both.
pub fn bind(addr: SocketAddr) -> Result<Bound, BindError> {
    let attempts = if addr.port() == 0 { ATTEMPTS } else { 1 };
    for _ in 1..attempts {
        match bind_once(addr) {
            Err(error) if error.is_taken() => {}
            outcome => return outcome,
        }
    }
    bind_once(addr)
}

fn bind_once(addr: SocketAddr) -> Result<Bound, BindError> {
    let failed = |addr, protocol| move |source| BindError { addr, protocol, source };
    let tcp = bind_tcp(addr).map_err(failed(addr, Protocol::Tcp))?;
    let addr = tcp.local_addr().map_err(failed(addr, Protocol::Tcp))?;
    let udp = bind_udp(addr).map_err(failed(addr, Protocol::Udp))?;
    Ok(Bound { addr, udp, tcp })
}

fn bind_tcp(addr: SocketAddr) -> io::Result<TcpListener> {
    let tcp = TcpListener::bind(addr)?;
    tcp.set_nonblocking(true)?;
    Ok(tcp)
}

fn bind_udp(addr: SocketAddr) -> io::Result<UdpSocket> {
    let udp = UdpSocket::bind(addr)?;
    udp.set_nonblocking(true)?;
    Ok(udp)
}

impl Bound {
    /// Sockets that were bound elsewhere.
    pub fn of(udp: UdpSocket, tcp: TcpListener) -> io::Result<Bound> {
        udp.set_nonblocking(true)?;
        tcp.set_nonblocking(true)?;
        Ok(Bound { addr: tcp.local_addr()?, udp, tcp })
    }

    /// The same sockets once more, for a process that is to go on with them.
    pub fn try_clone(&self) -> io::Result<Bound> {
        Ok(Bound { addr: self.addr, udp: self.udp.try_clone()?, tcp: self.tcp.try_clone()? })
    }

    pub fn into_sockets(self) -> (UdpSocket, TcpListener) {
        (self.udp, self.tcp)
    }

    /// Registers the sockets with the runtime that it is called on.
    pub(super) fn into_tokio(self) -> io::Result<(tokio::net::UdpSocket, tokio::net::TcpListener)> {
        let udp = tokio::net::UdpSocket::from_std(self.udp)?;
        Ok((udp, tokio::net::TcpListener::from_std(self.tcp)?))
    }
}

impl BindError {
    /// Whether somebody else has the port.
    pub fn is_taken(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Protocol::Udp => "UDP",
            Protocol::Tcp => "TCP",
        })
    }
}
