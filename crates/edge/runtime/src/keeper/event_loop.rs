//! The keeper's one loop: waits for a descriptor or a deadline, does what is due, tells who wants to know.
//!
//! It sleeps without a limit when there is no deadline. Each source gets a bounded piece of each turn, so that a flood
//! from one instance holds up no other.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Duration;

use adsum_model::InstanceId;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;

use super::connection::Connection;
use super::instances::Instances;
use crate::wire::{Answer, Hello, PROTOCOL, Request, Verb, Word};
use crate::{StartError, clock};

/// An agent has one connection; a few more are for people and for agents that come and go.
const MOST_CONNECTIONS: usize = 32;

pub(crate) struct EventLoop {
    signals: SignalFd,
    listener: UnixListener,
    connections: Vec<Connection>,
    next_connection: u64,
    instances: Instances,
    /// The generation that the connections know of.
    announced: u64,
    /// Connection and number of each request to shut down.
    closing: Vec<(u64, u64)>,
    leaving: bool,
}

/// What has something for us.
enum Source {
    Signals,
    Listener,
    Connection(u64),
    Output(InstanceId),
    AdoptedLeader(InstanceId),
}

impl EventLoop {
    pub(crate) fn new(signals: SignalFd, listener: UnixListener, instances: Instances) -> EventLoop {
        let announced = instances.generation();
        EventLoop {
            signals,
            listener,
            connections: Vec::new(),
            next_connection: 0,
            instances,
            announced,
            closing: Vec::new(),
            leaving: false,
        }
    }

    /// Returns when the keeper has been told to end.
    pub(crate) fn run(mut self) -> io::Result<()> {
        while !self.is_done() {
            for source in self.wait()? {
                self.serve(source);
            }
            self.instances.on_time(clock::monotonic_ms());
            self.announce();
            self.connections.retain(|connection| !connection.is_gone());
        }
        self.end();
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.leaving || (!self.closing.is_empty() && self.instances.none_is_live())
    }

    fn wait(&self) -> io::Result<Vec<Source>> {
        let (sources, mut polled): (Vec<Source>, Vec<PollFd<'_>>) = self.sources().unzip();
        match poll(&mut polled, self.patience()) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = polled.iter().map(|polled| polled.any().unwrap_or(false));
        Ok(sources.into_iter().zip(ready).filter_map(|(source, ready)| ready.then_some(source)).collect())
    }

    fn sources(&self) -> impl Iterator<Item = (Source, PollFd<'_>)> {
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let has_room = self.connections.len() < MOST_CONNECTIONS;
        let listener = has_room.then(|| (Source::Listener, readable(self.listener.as_fd())));
        let outputs =
            self.instances.outputs().map(move |(id, fd)| (Source::Output(id.clone()), readable(fd)));
        let leaders = self
            .instances
            .adopted_leaders()
            .map(move |(id, fd)| (Source::AdoptedLeader(id.clone()), readable(fd)));
        [(Source::Signals, readable(self.signals.as_fd()))]
            .into_iter()
            .chain(listener)
            .chain(self.connections.iter().map(connection_source))
            .chain(leaders)
            .chain(outputs)
    }

    fn patience(&self) -> PollTimeout {
        let Some(at) = self.instances.next_wakeup() else { return PollTimeout::NONE };
        let rest = at.saturating_sub(clock::monotonic_ms());
        PollTimeout::try_from(rest.min(60_000)).unwrap_or(PollTimeout::ZERO)
    }

    fn serve(&mut self, source: Source) {
        match source {
            Source::Signals => self.take_signals(),
            Source::Listener => self.accept(),
            Source::Connection(number) => self.serve_connection(number),
            Source::Output(id) => self.instances.read_output(&id),
            Source::AdoptedLeader(id) => self.instances.adopted_ended(&id),
        }
    }

    fn take_signals(&mut self) {
        while let Ok(Some(signal)) = self.signals.read_signal() {
            self.leaving |= signal.ssi_signo as i32 == libc::SIGTERM;
        }
        self.instances.reap();
    }

    fn accept(&mut self) {
        let accepted = self.listener.accept().and_then(|(stream, _)| {
            self.next_connection += 1;
            Connection::new(self.next_connection, stream)
        });
        match accepted {
            Ok(mut connection) => {
                connection.say(&Word::Hello(self.hello()));
                self.connections.push(connection);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                // Out of descriptors, most likely: the caller stays in line, so the loop must not spin on it.
                eprintln!("a connection cannot be accepted: {error}");
                thread::sleep(Duration::from_millis(10));
            }
        }
    }

    fn hello(&self) -> Hello {
        let cluster = self.instances.home.cluster.clone();
        let (tree, offer) = (self.instances.tree_kind(), self.instances.offer());
        Hello { protocol: PROTOCOL, pid: std::process::id(), cluster, tree, offer }
    }

    fn serve_connection(&mut self, number: u64) {
        let Some(connection) = self.connection(number) else { return };
        connection.flush();
        for request in connection.read() {
            if let Some(answer) = self.answer(number, &request)
                && let Some(connection) = self.connection(number)
            {
                connection.say(&Word::Answer { number: request.number, answer });
            }
        }
    }

    fn connection(&mut self, number: u64) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.number == number)
    }

    /// None when there is no answer, or none yet.
    fn answer(&mut self, connection: u64, request: &Request) -> Option<Answer> {
        match &request.verb {
            Verb::Start(_) if !self.closing.is_empty() => Some(Answer::NotStarted(StartError::Closing)),
            Verb::Start(start) => {
                Some(self.instances.start(start).map_or_else(Answer::NotStarted, Answer::Started))
            }
            Verb::Stop { id, signal, grace_ms } => Some(self.instances.stop(id, *signal, *grace_ms)),
            Verb::List => Some(Answer::Instances(self.instances.list())),
            Verb::Forget { id } => Some(self.instances.forget(id)),
            Verb::Pids { id } => Some(self.instances.pids(id)),
            Verb::Shutdown { grace_ms } => {
                self.closing.push((connection, request.number));
                self.instances.stop_all(*grace_ms);
                None
            }
            Verb::Leave => {
                self.leaving = true;
                None
            }
        }
    }

    fn announce(&mut self) {
        let generation = self.instances.generation();
        if generation != self.announced {
            self.announced = generation;
            for connection in &mut self.connections {
                connection.say(&Word::Changed { generation });
            }
        }
    }

    fn end(mut self) {
        self.instances.clear();
        for (connection, number) in std::mem::take(&mut self.closing) {
            if let Some(connection) = self.connection(connection) {
                connection.say(&Word::Answer { number, answer: Answer::Done });
            }
        }
        self.connections.into_iter().for_each(Connection::finish);
    }
}

fn connection_source(connection: &Connection) -> (Source, PollFd<'_>) {
    let writable = if connection.wants_to_write() { PollFlags::POLLOUT } else { PollFlags::empty() };
    let polled = PollFd::new(connection.descriptor(), PollFlags::POLLIN | writable);
    (Source::Connection(connection.number), polled)
}
