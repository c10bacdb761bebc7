//! Thousands of clients on one thread: each has at most one request on its way, and is given the next one when the
//! reply to the last has come. What a reply looks like is the business of whoever gathers them.

use std::io::{ErrorKind, Read, Write};
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// What a server says to these clients.
pub(crate) trait Message: Sized {
    /// A first question on a new connection, and its answer: the server has taken the client.
    fn greet(stream: &mut TcpStream) -> anyhow::Result<()>;

    /// The first message that is all there, and how many bytes it takes.
    fn cut(input: &[u8]) -> anyhow::Result<Option<(Self, usize)>>;
}

/// Of the clients that have something, how many are looked at in one turn.
const EVENTS: usize = 1024;
const DESK: usize = 64 * 1024;

pub(crate) struct Crowd<M> {
    epoll: Epoll,
    members: Vec<Member>,
    events: Vec<EpollEvent>,
    desk: Vec<u8>,
    next: Vec<(usize, Vec<u8>)>,
    said: PhantomData<M>,
}

struct Member {
    stream: TcpStream,
    /// What has come of a reply that is not all there.
    input: Vec<u8>,
}

/// What came for one of them, and when.
pub(crate) struct Heard<M> {
    pub(crate) member: usize,
    pub(crate) reply: M,
    pub(crate) at: Instant,
}

impl<M: Message> Crowd<M> {
    /// So many clients, each of which the server has answered once.
    pub(crate) fn gather(address: SocketAddr, count: usize) -> anyhow::Result<Crowd<M>> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut members = Vec::with_capacity(count);
        for at in 0..count {
            let member = Member::open::<M>(address).with_context(|| format!("client {at} of {count}"))?;
            epoll.add(&member.stream, EpollEvent::new(EpollFlags::EPOLLIN, at as u64))?;
            members.push(member);
        }
        Ok(Crowd {
            epoll,
            members,
            events: vec![EpollEvent::empty(); EVENTS],
            desk: vec![0; DESK],
            next: Vec::new(),
            said: PhantomData,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn send(&mut self, member: usize, request: &[u8]) -> anyhow::Result<()> {
        // One request of a few bytes at a time always has room in the buffer of the socket.
        self.members[member].stream.write_all(request).with_context(|| format!("client {member}"))
    }

    pub(crate) fn send_all(&mut self, request: &[u8]) -> anyhow::Result<()> {
        (0..self.len()).try_for_each(|member| self.send(member, request))
    }

    /// Waits up to `patience` for replies and hands them to `hear`; what that returns is sent when all that had come
    /// has been read, so that no client's time of arrival includes the next request of another.
    pub(crate) fn turn(
        &mut self,
        patience: Duration,
        mut hear: impl FnMut(Heard<M>) -> anyhow::Result<Option<Vec<u8>>>,
    ) -> anyhow::Result<()> {
        let millis = u16::try_from(patience.as_millis()).unwrap_or(u16::MAX);
        let count = self.epoll.wait(&mut self.events, EpollTimeout::from(millis))?;
        for event in 0..count {
            let member = self.events[event].data() as usize;
            let at =
                self.members[member].receive(&mut self.desk).with_context(|| format!("client {member}"))?;
            while let Some(reply) = self.members[member].reply::<M>()? {
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
    fn open<M: Message>(address: SocketAddr) -> anyhow::Result<Member> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        M::greet(&mut stream)?;
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
    fn reply<M: Message>(&mut self) -> anyhow::Result<Option<M>> {
        let Some((reply, length)) = M::cut(&self.input)? else { return Ok(None) };
        self.input.drain(..length);
        Ok(Some(reply))
    }
}
