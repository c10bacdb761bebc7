//! Thousands of clients on one thread: each has at most one request on its way, and is given the next one when the
//! reply to the last has come.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::client::request;
use super::reply::Reply;

/// Of the clients that have something, how many are looked at in one turn.
const EVENTS: usize = 1024;
const DESK: usize = 64 * 1024;

pub(super) struct Crowd {
    epoll: Epoll,
    members: Vec<Member>,
    events: Vec<EpollEvent>,
    desk: Vec<u8>,
    next: Vec<(usize, Vec<u8>)>,
}

struct Member {
    stream: TcpStream,
    /// What has come of a reply that is not all there.
    input: Vec<u8>,
}

/// What came for one of them, and when.
pub(super) struct Heard {
    pub(super) member: usize,
    pub(super) reply: Reply,
    pub(super) at: Instant,
}

impl Crowd {
    /// So many clients, each of which the server has answered once.
    pub(super) fn gather(address: SocketAddr, count: usize) -> anyhow::Result<Crowd> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut members = Vec::with_capacity(count);
        for at in 0..count {
            let member = Member::open(address).with_context(|| format!("client {at} of {count}"))?;
            epoll.add(&member.stream, EpollEvent::new(EpollFlags::EPOLLIN, at as u64))?;
            members.push(member);
        }
        Ok(Crowd {
            epoll,
            members,
            events: vec![EpollEvent::empty(); EVENTS],
            desk: vec![0; DESK],
            next: Vec::new(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn send(&mut self, member: usize, request: &[u8]) -> anyhow::Result<()> {
        // One request of a few bytes at a time always has room in the buffer of the socket.
        self.members[member].stream.write_all(request).with_context(|| format!("client {member}"))
    }

    pub(super) fn send_all(&mut self, request: &[u8]) -> anyhow::Result<()> {
        (0..self.len()).try_for_each(|member| self.send(member, request))
    }

    /// Waits up to `patience` for replies and hands them to `hear`; what that returns is sent when all that had come
    /// has been read, so that no client's time of arrival includes the next request of another.
    pub(super) fn turn(
        &mut self,
        patience: Duration,
        mut hear: impl FnMut(Heard) -> anyhow::Result<Option<Vec<u8>>>,
    ) -> anyhow::Result<()> {
        let millis = u16::try_from(patience.as_millis()).unwrap_or(u16::MAX);
        let count = self.epoll.wait(&mut self.events, EpollTimeout::from(millis))?;
        for event in 0..count {
            let member = self.events[event].data() as usize;
            let at =
                self.members[member].receive(&mut self.desk).with_context(|| format!("client {member}"))?;
            while let Some(reply) = self.members[member].reply()? {
                if let Some(request) = hear(Heard { member, reply, at })? {
                    self.next.push((member, request));
                }
            }
        }
        for (member, request) in std::mem::take(&mut self.next) {
            self.send(member, &request)?;
        }
        Ok(())
    }
}

impl Member {
    fn open(address: SocketAddr) -> anyhow::Result<Member> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.write_all(&request(&["PING"]))?;
        let mut pong = [0; 7];
        stream.read_exact(&mut pong)?;
        anyhow::ensure!(&pong == b"+PONG\r\n", "refused: {}", String::from_utf8_lossy(&pong));
        stream.set_nonblocking(true)?;
        Ok(Member { stream, input: Vec::new() })
    }

    /// Reads what is there, once. When it came.
    fn receive(&mut self, desk: &mut [u8]) -> anyhow::Result<Instant> {
        match self.stream.read(desk) {
            Ok(0) => anyhow::bail!("the server has closed the connection"),
            Ok(count) => self.input.extend_from_slice(&desk[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Instant::now())
    }

    /// The next reply that is all there.
    fn reply(&mut self) -> anyhow::Result<Option<Reply>> {
        let mut rest = &self.input[..];
        match Reply::read(&mut rest) {
            Ok(Reply::Error(error)) => anyhow::bail!("the server refused: {error}"),
            Ok(reply) => {
                let consumed = self.input.len() - rest.len();
                self.input.drain(..consumed);
                Ok(Some(reply))
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
