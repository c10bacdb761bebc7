//! A client's connection, from its first byte to its last.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use adsum_forward::Caller;
use adsum_framing::{Preface, preface};
use adsum_routing::Entrance;
use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::patience::Alarms;
use crate::worker::Worker;

mod body;
mod bundle;
mod gate;
mod http1;
mod http2;
mod linger;
mod said;
mod socket;
mod stream;
mod streams;
mod wire;

pub(crate) use body::{Body, Error as BodyError};
pub(crate) use gate::{Gate, Refused};
use linger::Linger;
pub(crate) use said::Said;
pub(crate) use socket::Socket;
pub(crate) use stream::Stream;

/// After so long an id is indexed again: the dates alone of one minute take the place of all that the table has. Not more
/// often, since all values of a name are compared with each new one.
const INDEXED: Duration = Duration::from_secs(20);

/// Through which door connections come in.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) entrance: Entrance,
    pub(crate) tls: bool,
    pub(crate) listener: Rc<adsum_forward::Gate>,
}

/// Whose request it is.
pub(crate) struct Client {
    pub(crate) worker: Rc<Worker>,
    pub(crate) peer: SocketAddr,
    pub(crate) door: Door,
    pub(crate) gate: Gate,
    /// What its requests tell of it.
    pub(crate) caller: Caller,
    http2: bool,
    pub(crate) alarms: Alarms,
    /// When an id was put into the table of HPACK.
    indexed: Cell<Option<Instant>>,
}

/// What a request has come over.
pub(crate) enum Way {
    /// The connection itself comes out here, if its client has asked for another protocol and was told 101.
    Http1(Option<oneshot::Receiver<Stream>>),
    /// What is said before its answer goes this way.
    Http2(Rc<Said>),
}

impl Client {
    /// Whether it speaks HTTP/1.
    pub(crate) fn is_http1(&self) -> bool {
        !self.http2
    }

    /// Whether the id of this answer goes into the table of HPACK. No id comes a second time; but where the table has one of
    /// them, all others come without their name.
    pub(crate) fn indexes_id(&self, now: Instant) -> bool {
        let is_due = self.indexed.get().is_none_or(|last| now.saturating_duration_since(last) >= INDEXED);
        if is_due {
            self.indexed.set(Some(now));
        }
        is_due
    }

    /// Whether the next answer is the last one: the gateway stops. HTTP/2 has its own way to say so.
    pub(crate) fn ends(&self) -> bool {
        !self.http2 && self.worker.stop.borrow().is_some()
    }
}

/// Serves a connection until one side closes it, or the gateway stops.
pub(crate) async fn serve(worker: Rc<Worker>, tcp: TcpStream, peer: SocketAddr, door: Door) {
    let limits = &worker.settings.limits;
    if !door.tls {
        return greet(worker.clone(), Socket::Plain(tcp), peer, door).await;
    }
    let Some(acceptor) = worker.acceptor() else { return };
    let handshake = tokio::select! {
        ended = timeout(limits.handshake_timeout, acceptor.accept(tcp)) => ended,
        () = stopped(&worker) => return,
    };
    match handshake {
        Ok(Ok(tls)) => greet(worker.clone(), Socket::Tls(Box::new(tls)), peer, door).await,
        Ok(Err(error)) => {
            worker.ledger.handshake_errors.add(1);
            tracing::debug!(%peer, %error, "a TLS handshake failed");
        }
        Err(_) => worker.ledger.handshake_errors.add(1),
    }
}

/// Finds out what the client speaks.
async fn greet(worker: Rc<Worker>, mut socket: Socket, peer: SocketAddr, door: Door) {
    let (first, http2) = match socket.alpn() {
        Some(http2) => (BytesMut::new(), http2),
        None => {
            let read = timeout(worker.settings.limits.head_timeout, first_bytes(&mut socket));
            let first = tokio::select! {
                first = read => first,
                () = stopped(&worker) => return,
            };
            let Ok(Ok(first)) = first else { return };
            let http2 = preface(&first) == Preface::Http2;
            (first, http2)
        }
    };
    let limits = &worker.settings.limits;
    let (stream, gate) = (Stream::new(socket, limits.write_timeout), Gate::new());
    let paced = http2.then_some((gate.clone(), limits.idle_timeout));
    let caller = door.listener.caller(peer.ip());
    let client = Rc::new(Client {
        worker,
        peer,
        door,
        gate,
        caller,
        http2,
        alarms: Alarms::default(),
        indexed: Cell::default(),
    });
    match paced {
        Some((gate, idle)) => http2::serve(stream.preceded_by(first).paced(gate, idle), client).await,
        None => http1::serve(stream, first, client).await,
    }
}

/// Comes when the gateway stops, a little later: who has just been accepted may have sent a request already.
async fn stopped(worker: &Worker) {
    let mut stop = worker.stop.clone();
    // An error means that the gateway is gone, which stops as well.
    let _ = stop.wait_for(Option::is_some).await;
    tokio::time::sleep(worker.last_request()).await;
    // What the kernel has by now is heard first: all connections come here at the same moment.
    tokio::task::yield_now().await;
}

/// As many as it takes to tell; none when the client has closed before.
async fn first_bytes(socket: &mut Socket) -> std::io::Result<BytesMut> {
    let mut first = BytesMut::with_capacity(4096);
    while preface(&first) == Preface::Undecided {
        if socket.read_buf(&mut first).await? == 0 {
            break;
        }
    }
    Ok(first)
}
