//! Connections are accepted here, also when there are too many of them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use adsum_model::Protocol;
use adsum_routing::Entrance;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Guest, Listeners, Worker};
use crate::client::{self, Door};
use crate::tunnel;

/// After an error of accept, doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_secs(1);
/// After so long a silence the kernel asks whether the peer still exists.
const KEEPALIVE: Duration = Duration::from_secs(60);
const TURNED_AWAY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
    cache-control: no-store\r\nx-gateway-error: connections-full\r\nretry-after: 1\r\ncontent-length: 53\r\n\
    connection: close\r\n\r\nthe gateway has as many connections as it may: retry\n";

/// The listeners of one worker.
pub(super) struct Doors {
    gateway: Vec<Entry>,
    published: HashMap<u16, Entry>,
}

/// A listener with the task that accepts.
struct Entry {
    close: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
enum Kind {
    Http(Door),
    Tcp(u16),
}

impl Doors {
    pub(super) fn new(worker: &Rc<Worker>, listeners: Listeners) -> Doors {
        let door = |listener: &std::net::TcpListener, tls| {
            let port = listener.local_addr().map_or(0, |addr| addr.port());
            Kind::Http(worker.door(Entrance::Gateway, port, tls))
        };
        let plain = door(&listeners.plain, false);
        let mut gateway = vec![enter(worker, listeners.plain, plain)];
        if let Some(listener) = listeners.tls {
            let kind = door(&listener, true);
            gateway.push(enter(worker, listener, kind));
        }
        Doors { gateway, published: HashMap::new() }
    }

    pub(super) fn open(
        &mut self,
        worker: &Rc<Worker>,
        port: u16,
        protocol: Protocol,
        listener: std::net::TcpListener,
    ) {
        let kind = match protocol {
            Protocol::Http => Kind::Http(worker.door(Entrance::Port(port), port, false)),
            Protocol::Tcp => Kind::Tcp(port),
        };
        self.published.insert(port, enter(worker, listener, kind));
    }

    /// Connections that have been accepted go on.
    pub(super) fn shut(&mut self, port: u16) {
        if let Some(entry) = self.published.remove(&port) {
            let _ = entry.close.send(());
        }
    }

    /// Accepts nothing that comes from now on.
    pub(super) async fn close(self) {
        let entries = self.gateway.into_iter().chain(self.published.into_values());
        let tasks: Vec<JoinHandle<()>> = entries
            .map(|entry| {
                let _ = entry.close.send(());
                entry.task
            })
            .collect();
        for task in tasks {
            let _ = task.await;
        }
    }
}

fn enter(worker: &Rc<Worker>, listener: std::net::TcpListener, kind: Kind) -> Entry {
    let (close, closed) = oneshot::channel();
    let worker = worker.clone();
    let task = tokio::task::spawn_local(async move {
        match set_options(&listener).and_then(|()| TcpListener::from_std(listener)) {
            Ok(listener) => Acceptor::new(worker, listener, kind).run(closed).await,
            Err(error) => tracing::error!(%error, "cannot serve a listener of the gateway"),
        }
    });
    Entry { close, task }
}

struct Acceptor {
    worker: Rc<Worker>,
    listener: TcpListener,
    kind: Kind,
    pause: Duration,
    /// Given up when there are no file descriptors left, to accept a connection and close it: one that is left in the
    /// queue would wake this task for ever.
    reserve: Option<File>,
}

impl Acceptor {
    fn new(worker: Rc<Worker>, listener: TcpListener, kind: Kind) -> Acceptor {
        Acceptor { worker, listener, kind, pause: FIRST_PAUSE, reserve: reserve() }
    }

    async fn run(mut self, mut closed: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                biased;
                _ = &mut closed => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.welcome(stream, peer),
                    Err(error) => self.rest(&error).await,
                },
            }
        }
        self.empty_queue();
    }

    /// Whoever is in the queue has been promised a connection by the kernel.
    fn empty_queue(&mut self) {
        while let Poll::Ready(Ok((stream, peer))) =
            self.listener.poll_accept(&mut Context::from_waker(Waker::noop()))
        {
            self.welcome(stream, peer);
        }
    }

    fn welcome(&mut self, stream: TcpStream, peer: SocketAddr) {
        self.pause = FIRST_PAUSE;
        let worker = &self.worker;
        worker.ledger.accepted.add(1);
        match worker.welcome() {
            Some(guest) => self.spawn(stream, peer, guest),
            None => {
                worker.ledger.turned_away.add(1);
                turn_away(stream, &self.kind);
            }
        }
    }

    fn spawn(&self, stream: TcpStream, peer: SocketAddr, guest: Guest) {
        let (worker, kind) = (self.worker.clone(), self.kind.clone());
        tokio::task::spawn_local(async move {
            let _guest = guest;
            match kind {
                // Large, and moved about by whoever runs it.
                Kind::Http(door) => Box::pin(client::serve(worker, stream, peer, door)).await,
                Kind::Tcp(port) => tunnel::serve_port(worker, stream, peer, port).await,
            }
        });
    }

    async fn rest(&mut self, error: &io::Error) {
        self.worker.ledger.accept_errors.add(1);
        tracing::warn!(%error, pause = ?self.pause, "cannot accept a client of the gateway");
        if is_exhausted(error) && self.reserve.take().is_some() {
            self.close_one();
            self.reserve = reserve();
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LAST_PAUSE);
    }

    fn close_one(&self) {
        if let Poll::Ready(Ok((stream, _))) =
            self.listener.poll_accept(&mut Context::from_waker(Waker::noop()))
        {
            self.worker.ledger.turned_away.add(1);
            turn_away(stream, &self.kind);
        }
    }
}

fn reserve() -> Option<File> {
    File::open("/dev/null").ok()
}

/// No file descriptors, in this process or in the system.
fn is_exhausted(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

/// What is accepted has the options of its listener: three calls less for each connection.
fn set_options(listener: &std::net::TcpListener) -> io::Result<()> {
    let socket = SockRef::from(listener);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))
}

fn turn_away(stream: TcpStream, kind: &Kind) {
    let Kind::Http(Door { tls: false, .. }) = kind else { return };
    // What does not fit an empty socket buffer is not worth waiting for.
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(TURNED_AWAY);
    }
}
