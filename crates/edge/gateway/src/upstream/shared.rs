//! One HTTP/2 connection to an instance, shared by the requests of a worker. A task of its own drives it.

use std::cell::{Cell, RefCell};
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Notify;

use super::{Socket, Stream};
use crate::local::Local;
use crate::payload::Payload;

/// Requests at a time on one connection, before a second one is made; fewer where the instance takes fewer.
const STREAMS: usize = 100;
/// No instance says this of the streams that it takes: so it has said nothing yet.
const UNSAID: usize = usize::MAX - 1;
/// A connection without requests is closed after this.
const IDLE: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct Shared {
    sender: SendRequest<Payload>,
    state: Rc<State>,
}

type Driver = http2::Connection<TokioIo<Socket>, Payload, Local>;

struct State {
    driver: RefCell<Driver>,
    streams: Cell<usize>,
    rested: Cell<Instant>,
    /// The instance has said that it takes no further stream, or has gone.
    over: Cell<bool>,
}

/// A place on the connection, given back when dropped.
pub(crate) struct Seat(Rc<State>);

/// Why a stream has no answer.
#[derive(Debug)]
pub(crate) enum StreamError {
    /// The request was never put on the connection.
    NotSent,
    /// The instance says that it has not processed the stream.
    Refused,
    GoneAway,
    Lost(hyper::Error),
}

impl Shared {
    /// Open when the instance has said how many requests it takes at a time, which is the first that it says.
    pub(crate) async fn open(stream: Stream) -> Result<Shared, hyper::Error> {
        let mut socket = Socket::new(stream);
        let heard = socket.tell_when_heard();
        let (sender, driver) = http2::Builder::new(Local)
            .timer(TokioTimer::new())
            .adaptive_window(true)
            .max_header_list_size(32 << 10)
            .keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(10))
            .initial_max_send_streams(UNSAID)
            .handshake(TokioIo::new(socket))
            .await?;
        let state = Rc::new(State {
            driver: RefCell::new(driver),
            streams: Cell::new(0),
            rested: Cell::new(Instant::now()),
            over: Cell::new(false),
        });
        tokio::task::spawn_local(state.clone().drive(heard.clone()));
        while !state.over.get() && state.most() == UNSAID {
            heard.notified().await;
        }
        Ok(Shared { sender, state })
    }

    /// Whether a further request may be put on it.
    pub(crate) fn has_room(&self) -> bool {
        let state = &self.state;
        !state.over.get() && self.sender.is_ready() && state.streams.get() < state.most().min(STREAMS)
    }

    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let state = &self.state;
        let rested = state.streams.get() == 0 && now.saturating_duration_since(state.rested.get()) > IDLE;
        state.over.get() || self.sender.is_closed() || rested
    }

    /// No further request: the instance is going away.
    pub(crate) fn give_up(&self) {
        self.state.over.set(true);
    }

    pub(crate) fn sit(&self) -> Seat {
        self.state.streams.set(self.state.streams.get() + 1);
        Seat(self.state.clone())
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<Payload>,
    ) -> Result<Response<Incoming>, StreamError> {
        self.sender.try_send_request(request).await.map_err(|mut error| match error.take_message() {
            Some(_) => StreamError::NotSent,
            None => classify(error.into_error()),
        })
    }
}

impl State {
    async fn drive(self: Rc<State>, heard: Rc<Notify>) {
        let ended = poll_fn(|cx| Pin::new(&mut *self.driver.borrow_mut()).poll(cx)).await;
        if let Err(error) = ended {
            tracing::debug!(%error, "an instance's HTTP/2 connection has ended");
        }
        self.over.set(true);
        heard.notify_one();
    }

    /// Requests that the instance takes at a time.
    fn most(&self) -> usize {
        self.driver.borrow().current_max_send_streams()
    }
}

/// RFC 9113, 8.7: what was refused, and what is above the last stream of a GOAWAY, was not processed.
fn classify(error: hyper::Error) -> StreamError {
    let reason = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<h2::Error>());
    match reason {
        Some(h2) if h2.is_reset() && h2.reason() == Some(h2::Reason::REFUSED_STREAM) => StreamError::Refused,
        Some(h2) if h2.is_go_away() && h2.is_remote() && h2.reason() == Some(h2::Reason::NO_ERROR) => {
            StreamError::GoneAway
        }
        _ => StreamError::Lost(error),
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
        self.0.rested.set(Instant::now());
    }
}
