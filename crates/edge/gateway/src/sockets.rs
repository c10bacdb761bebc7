//! The listening sockets of a gateway, as they go from one process to the next. Connections that wait in one of them wait
//! on: a socket ends with its last double, and nothing here closes one that another process has.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};

use parking_lot::Mutex;

use crate::bind::bind;

/// Each address has one listener per worker, which share it (SO_REUSEPORT), or one for all.
#[derive(Debug, Default)]
pub struct Sockets {
    pub plain: Vec<TcpListener>,
    pub tls: Vec<TcpListener>,
    pub published: BTreeMap<u16, Vec<TcpListener>>,
}

impl Sockets {
    /// How many workers there have to be, so that each listener has one that accepts.
    pub fn workers(&self) -> usize {
        let published = self.published.values().map(Vec::len);
        published.chain([self.plain.len(), self.tls.len()]).max().unwrap_or(0)
    }

    fn try_clone(&self) -> io::Result<Sockets> {
        let published = self.published.iter().map(|(port, of_port)| Ok((*port, double(of_port)?)));
        Ok(Sockets {
            plain: double(&self.plain)?,
            tls: double(&self.tls)?,
            published: published.collect::<io::Result<_>>()?,
        })
    }
}

/// A double of every socket that is served, so that it can be handed on. None when all were closed: nothing is served
/// from then on.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<Option<Sockets>>);

impl Held {
    pub(crate) fn new(plain: &[TcpListener], tls: &[TcpListener]) -> io::Result<Held> {
        let sockets = Sockets { plain: double(plain)?, tls: double(tls)?, ..Sockets::default() };
        Ok(Held(Mutex::new(Some(sockets))))
    }

    pub(crate) fn sockets(&self) -> io::Result<Sockets> {
        self.0.lock().as_ref().map_or_else(|| Ok(Sockets::default()), Sockets::try_clone)
    }

    /// Refuses after [`Held::close_all`]: nobody would accept from its double, nor close it.
    pub(crate) fn publish(&self, port: u16, listeners: &[TcpListener]) -> io::Result<()> {
        let listeners = double(listeners)?;
        let mut sockets = self.0.lock();
        let sockets = sockets.as_mut().ok_or_else(|| io::Error::other("the gateway stops"))?;
        sockets.published.insert(port, listeners);
        Ok(())
    }

    pub(crate) fn close(&self, port: u16) {
        if let Some(sockets) = &mut *self.0.lock() {
            sockets.published.remove(&port);
        }
    }

    pub(crate) fn close_all(&self) {
        drop(self.0.lock().take());
    }
}

/// `count` listeners: those that were given, each of them and some perhaps more than once, else new ones.
pub(crate) fn given_or_bound(
    given: Vec<TcpListener>,
    addr: SocketAddr,
    count: usize,
) -> io::Result<Vec<TcpListener>> {
    if given.is_empty() {
        return bind(addr, count);
    }
    given.iter().try_for_each(|listener| listener.set_nonblocking(true))?;
    let more = (given.len()..count).map(|number| given[number % given.len()].try_clone());
    let more = more.collect::<io::Result<Vec<_>>>()?;
    Ok(given.into_iter().chain(more).collect())
}

fn double(listeners: &[TcpListener]) -> io::Result<Vec<TcpListener>> {
    listeners.iter().map(TcpListener::try_clone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_socket_that_was_given_is_served_and_some_twice_when_there_are_more_workers() {
        let given = bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let addr = given[0].local_addr().unwrap();
        let served = given_or_bound(given, "127.0.0.1:1".parse().unwrap(), 3).unwrap();
        assert_eq!(served.len(), 3);
        assert!(served.iter().all(|listener| listener.local_addr().unwrap() == addr));
    }

    #[test]
    fn a_double_keeps_what_waits_in_the_queue() {
        let listeners = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let addr = listeners[0].local_addr().unwrap();
        let held = Held::new(&listeners, &[]).unwrap();
        let waiting = std::net::TcpStream::connect(addr).unwrap();
        drop(listeners);
        let handed = held.sockets().unwrap();
        held.close_all();
        let (_, peer) = handed.plain[0].accept().unwrap();
        assert_eq!(peer, waiting.local_addr().unwrap());
        drop(handed);
        assert!(std::net::TcpStream::connect(addr).is_err(), "nobody has it any more");
    }

    #[test]
    fn nothing_is_published_any_more_once_all_was_closed() {
        let listeners = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let addr = listeners[0].local_addr().unwrap();
        let held = Held::new(&[], &[]).unwrap();
        held.publish(1, &listeners).unwrap();
        held.close_all();
        assert!(held.publish(1, &listeners).is_err());
        assert!(held.sockets().unwrap().published.is_empty());
        drop(listeners);
        assert!(std::net::TcpStream::connect(addr).is_err(), "no double was kept");
    }
}
