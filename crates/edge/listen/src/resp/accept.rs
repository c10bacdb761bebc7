//! Connections accepted, and all of them closed in the end.

use std::future::{Future, poll_fn};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use adsum_resp::Ends;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client::Client;
use super::connection::Connection;
use super::herald::Herald;
use super::outbox::Mailbox;
use super::tools::{Clerk, Desk, Tools};
use super::{Engine, Limits};

/// How long replies have to leave when the face stops.
const FAREWELL: Duration = Duration::from_secs(1);
/// After an error of accept, doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_secs(1);
/// After so long a silence the kernel asks whether the peer still exists.
const KEEPALIVE: Duration = Duration::from_secs(300);

/// Serves `listeners` until `shutdown`, or until the engine fails. Belongs on a current-thread runtime.
pub(super) async fn serve<E: Engine>(
    listeners: Vec<std::net::TcpListener>,
    engine: E,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let mut doors = match Doors::open(listeners) {
        Ok(doors) => doors,
        Err(error) => {
            tracing::error!(%error, "cannot serve a RESP listener");
            return;
        }
    };
    let (stop, stopped) = watch::channel(false);
    let mut house = House {
        engine: engine.clone(),
        limits,
        stopped,
        tools: Tools { desk: Desk::default(), clerk: Clerk::default(), herald: Herald::start(&engine) },
        guests: JoinSet::new(),
        pause: FIRST_PAUSE,
    };
    tokio::select! {
        () = shutdown => {}
        () = engine.failed() => tracing::error!("the engine has failed: closing RESP clients"),
        () = house.accept(&mut doors) => {}
    }
    drop(doors);
    stop.send_replace(true);
    house.say_goodbye().await;
}

/// The listeners of one thread.
struct Doors {
    listeners: Vec<TcpListener>,
    /// Which of them is looked at first: not the one that somebody has just come through.
    first: usize,
}

impl Doors {
    fn open(listeners: Vec<std::net::TcpListener>) -> io::Result<Doors> {
        let listeners = listeners.into_iter().map(TcpListener::from_std).collect::<io::Result<_>>()?;
        Ok(Doors { listeners, first: 0 })
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let count = self.listeners.len();
        for at in (self.first..count).chain(0..self.first) {
            if let Poll::Ready(accepted) = self.listeners[at].poll_accept(cx) {
                self.first = (at + 1) % count;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }
}

/// The connections of one thread.
struct House<E> {
    engine: E,
    limits: Limits,
    stopped: watch::Receiver<bool>,
    tools: Tools,
    guests: JoinSet<()>,
    pause: Duration,
}

impl<E: Engine> House<E> {
    async fn accept(&mut self, doors: &mut Doors) {
        loop {
            tokio::select! {
                accepted = poll_fn(|cx| doors.poll_accept(cx)) => match accepted {
                    Ok((stream, peer)) => self.welcome(stream, peer),
                    Err(error) => self.rest(&error).await,
                },
                Some(ended) = self.guests.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a RESP connection has panicked");
                    }
                }
            }
        }
    }

    /// Accepting fails when file descriptors run out, and works again when a client has gone.
    async fn rest(&mut self, error: &io::Error) {
        tracing::warn!(%error, pause = ?self.pause, "cannot accept a RESP client");
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LAST_PAUSE);
    }

    fn welcome(&mut self, stream: TcpStream, peer: SocketAddr) {
        self.pause = FIRST_PAUSE;
        if let Err(error) = set_options(&stream) {
            tracing::debug!(%error, %peer, "the connection was gone at once");
            return;
        }
        let mailbox = Arc::new(Mailbox::new(self.limits.output));
        let local = stream.local_addr().map_or(String::new(), |local| local.to_string());
        let ends = Ends { peer: peer.to_string(), local };
        let mut client = Client::new(self.engine.clone(), mailbox.clone(), ends);
        if !self.has_room(&mut client) {
            tracing::warn!(%peer, limit = self.limits.clients, "max number of clients reached");
            refuse(stream);
            return;
        }
        let connection = Connection::new(stream, mailbox, client, self.limits, self.tools.clone());
        self.guests.spawn(connection.run(self.stopped.clone()));
    }

    /// Whether there may be one more. While a script holds everybody up those of this thread are counted, and the server
    /// gets to know the client later.
    fn has_room(&self, client: &mut Client<E>) -> bool {
        let limit = self.limits.clients;
        client.introduce(limit).unwrap_or(self.guests.len() < limit)
    }

    async fn say_goodbye(&mut self) {
        let all = async { while self.guests.join_next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, all).await.is_err() {
            tracing::debug!(
                left = self.guests.len(),
                "RESP clients that did not take their replies are cut off"
            );
            self.guests.shutdown().await;
        }
    }
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))
}

fn refuse(stream: TcpStream) {
    // What does not fit an empty socket buffer is not worth waiting for.
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(b"-ERR max number of clients reached\r\n");
    }
}
