//! Sockets that were opened before the process was started (socket activation).

use std::io;
use std::net::{TcpListener, UdpSocket};

use listenfd::ListenFd;

#[derive(Debug)]
pub enum Socket {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

#[derive(Debug, thiserror::Error)]
#[error(
    "the socket '{name}' that was given with LISTEN_FDS is none that can be listened on: give TCP, or UDP for dns"
)]
pub struct GivenError {
    name: String,
    #[source]
    source: io::Error,
}

/// The sockets with their names (`FileDescriptorName=` of the socket's unit), if they were given to this very process
/// (LISTEN_PID). To be called once.
pub fn given() -> Result<Vec<(String, Socket)>, GivenError> {
    let pid = std::env::var("LISTEN_PID");
    if !pid.is_ok_and(|pid| is_of(&pid, std::process::id())) {
        // Descriptors of whoever left the rest in the environment, or none: sd_listen_fds(3) takes nothing, too.
        return Ok(Vec::new());
    }
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut sockets = ListenFd::from_env();
    let mut names = names.split(':');
    let mut given = Vec::new();
    for at in 0..sockets.len() {
        let name = names.next().filter(|name| !name.is_empty()).unwrap_or("unknown");
        if let Some(socket) = take(&mut sockets, at).map_err(|source| failed(name, source))? {
            given.push((name.to_string(), socket));
        }
    }
    Ok(given)
}

fn is_of(pid: &str, process: u32) -> bool {
    pid.trim().parse() == Ok(process)
}

fn failed(name: &str, source: io::Error) -> GivenError {
    GivenError { name: name.to_string(), source }
}

/// What it is the kernel knows.
fn take(sockets: &mut ListenFd, at: usize) -> io::Result<Option<Socket>> {
    if let Ok(Some(tcp)) = sockets.take_tcp_listener(at) {
        tcp.set_nonblocking(true)?;
        return Ok(Some(Socket::Tcp(tcp)));
    }
    let Some(udp) = sockets.take_udp_socket(at)? else { return Ok(None) };
    udp.set_nonblocking(true)?;
    Ok(Some(Socket::Udp(udp)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_for_the_process_that_is_named() {
        assert!(is_of("17", 17) && is_of(" 17\n", 17));
        assert!(!["", "16", "0", "-17", "17x"].iter().any(|pid| is_of(pid, 17)));
    }
}
