//! A server that does nothing: what load generator and kernel leave to any server.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// Answers `+OK` to whatever begins with an asterisk, which a request of `redis-benchmark` has one of, until the process ends.
pub(super) fn serve() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        answer(&listener).inspect_err(|error| eprintln!("nothing is served: {error}"))
    });
    Ok(address)
}

fn answer(listener: &TcpListener) -> std::io::Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    let id = |socket: &dyn AsRawFd| socket.as_raw_fd().unsigned_abs().into();
    epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, id(listener)))?;
    let mut connections: HashMap<u64, TcpStream> = HashMap::new();
    let mut events = [EpollEvent::empty(); 128];
    let mut bytes = vec![0; 64 * 1024];
    let mut asked = Vec::new();
    loop {
        let count = epoll.wait(&mut events, EpollTimeout::NONE)?;
        for event in &events[..count] {
            let Some(connection) = connections.get_mut(&event.data()) else {
                let (connection, _) = listener.accept()?;
                connection.set_nodelay(true)?;
                epoll.add(&connection, EpollEvent::new(EpollFlags::EPOLLIN, id(&connection)))?;
                connections.insert(id(&connection), connection);
                continue;
            };
            match connection.read(&mut bytes) {
                Ok(count @ 1..) => {
                    let requests = bytes[..count].iter().filter(|byte| **byte == b'*').count();
                    asked.push((event.data(), requests));
                }
                Ok(0) | Err(_) => drop(connections.remove(&event.data())),
            }
        }
        // All at once, so that the load generator is woken once.
        for (id, requests) in asked.drain(..) {
            let sent =
                connections.get_mut(&id).map(|connection| connection.write_all(&b"+OK\r\n".repeat(requests)));
            if !matches!(sent, Some(Ok(()))) {
                connections.remove(&id);
            }
        }
    }
}
