//! A request's body on its way to an instance, of which the beginning is kept until an answer begins.

use std::cell::RefCell;
use std::future::Future as _;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::Sleep;

use crate::client::{self, BodyError};
use crate::metrics::RouteSeries;

/// What one try sends.
#[derive(Debug)]
pub(crate) enum Payload {
    Empty,
    Taped {
        tape: Rc<RefCell<Tape>>,
        at: usize,
        /// The try that it is of.
        attempt: u32,
        permit: Option<Permit>,
    },
}

/// Why a body does not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Torn {
    #[error("the client's body has failed: {0}")]
    Client(#[from] BodyError),
    /// Of another try than the one that is under way, or what it would begin with is not kept.
    #[error("the request goes on elsewhere")]
    GivenUp,
}

/// A body with what has been read of it, so that a further try can begin at its beginning.
///
/// ```text
/// kept:   [frame][frame][frame]  source: rest of the body
///          ^ a further try        ^ where the first try is
/// ```
#[derive(Debug)]
pub(crate) struct Tape {
    source: client::Body,
    kept: Vec<Bytes>,
    /// Bytes that may still be kept.
    room: usize,
    /// Something was read that is not kept: no further try.
    torn: bool,
    /// Bytes that were read.
    read: u64,
    /// The try that it is for, from 1. No other one may take anything of it.
    attempt: u32,
    /// When its end was read.
    ended: Option<Instant>,
    failed: bool,
    /// When something of it was read last, or the try began.
    moved: Instant,
    /// The client was asked for more, and has nothing.
    client_is_silent: bool,
    /// Whoever waits for its end.
    waits: Option<Waker>,
    /// Whoever has asked for more and got nothing yet.
    pulls: Option<Waker>,
    series: Arc<RouteSeries>,
}

/// Of a body that is on its way, who keeps the other waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Silence {
    /// Nobody: all of it had come then.
    Ended(Instant),
    OfClient(Instant),
    /// It takes no more.
    OfInstance(Instant),
}

/// An instance's word on whether it wants the body (`100 Continue`). One that says nothing gets it after a while
/// (RFC 9110, 10.1.1).
#[derive(Debug)]
pub(crate) struct Permit {
    word: Arc<Mutex<Word>>,
    patience: Pin<Box<Sleep>>,
    given: bool,
}

#[derive(Debug, Default)]
struct Word {
    given: bool,
    waker: Option<Waker>,
}

/// How long a client's body waits for the instance's word.
const PATIENCE: Duration = Duration::from_secs(1);

impl Tape {
    pub(crate) fn new(source: client::Body, room: usize, series: Arc<RouteSeries>) -> Rc<RefCell<Tape>> {
        let torn = source.size_hint().lower() > room as u64;
        Rc::new(RefCell::new(Tape {
            source,
            kept: Vec::new(),
            room,
            torn,
            read: 0,
            attempt: 1,
            ended: None,
            failed: false,
            moved: Instant::now(),
            client_is_silent: false,
            waits: None,
            pulls: None,
            series,
        }))
    }

    /// Whether a further try could send all that was read.
    pub(crate) fn is_whole(&self) -> bool {
        !self.torn || self.read == 0
    }

    /// A try begins. False when all has come already.
    pub(crate) fn begin_try(&mut self) -> bool {
        self.moved = Instant::now();
        self.ended.is_none()
    }

    /// The try that is under way gets nothing more: whoever still sends for it learns that the body has failed.
    pub(crate) fn give_up_try(&mut self) {
        self.attempt += 1;
        if let Some(waker) = self.pulls.take() {
            waker.wake();
        }
    }

    /// Who has been silent, and since when. `waker` is woken when the end has come.
    pub(crate) fn silence(&mut self, waker: &Waker) -> Silence {
        if let Some(ended) = self.ended {
            return Silence::Ended(ended);
        }
        if !self.waits.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.waits = Some(waker.clone());
        }
        if self.client_is_silent { Silence::OfClient(self.moved) } else { Silence::OfInstance(self.moved) }
    }

    /// When something of it was read last.
    pub(crate) fn moved(&self) -> Instant {
        self.moved
    }

    /// When all of it had come.
    pub(crate) fn ended(&self) -> Option<Instant> {
        self.ended
    }

    /// The client has broken off.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// No further try will come: nothing more is kept. What is kept stays until the try that is under way has sent it.
    pub(crate) fn stop_keeping(&mut self) {
        self.torn = true;
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.ended.is_some() {
            return Poll::Ready(None);
        }
        let next = Pin::new(&mut self.source).poll_frame(cx);
        self.client_is_silent = next.is_pending();
        if next.is_pending() && !self.pulls.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            self.pulls = Some(cx.waker().clone());
        }
        let next = std::task::ready!(next);
        self.moved = Instant::now();
        match &next {
            Some(Ok(frame)) => match frame.data_ref() {
                Some(data) => self.keep(data.clone()),
                // Trailers cannot be sent again: rare, and not worth the room.
                None => self.stop_keeping(),
            },
            Some(Err(_)) => self.failed = true,
            None => self.end(),
        }
        if self.source.is_end_stream() {
            self.end();
        }
        Poll::Ready(next)
    }

    fn end(&mut self) {
        self.ended.get_or_insert(self.moved);
        if let Some(waker) = self.waits.take() {
            waker.wake();
        }
    }

    fn keep(&mut self, data: Bytes) {
        self.read += data.len() as u64;
        self.series.received.add(data.len() as u64);
        match self.room.checked_sub(data.len()) {
            Some(room) if !self.torn => {
                self.room = room;
                self.kept.push(data);
            }
            _ => self.stop_keeping(),
        }
    }
}

impl Payload {
    /// For the try that begins. One that could not send all of it from its beginning gets nothing.
    pub(crate) fn taped(tape: &Rc<RefCell<Tape>>, permit: Option<Permit>) -> Payload {
        let attempt = if tape.borrow().is_whole() { tape.borrow().attempt } else { 0 };
        Payload::Taped { tape: tape.clone(), at: 0, attempt, permit }
    }
}

/// By which the word is given.
#[derive(Clone, Debug)]
pub(crate) struct Grant(Arc<Mutex<Word>>);

impl Grant {
    pub(crate) fn give(&self) {
        let mut word = self.0.lock();
        word.given = true;
        if let Some(waker) = word.waker.take() {
            waker.wake();
        }
    }
}

impl Permit {
    pub(crate) fn ask() -> (Permit, Grant) {
        let word = Arc::<Mutex<Word>>::default();
        let patience = Box::pin(tokio::time::sleep(PATIENCE));
        (Permit { word: word.clone(), patience, given: false }, Grant(word))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.given {
            let mut word = self.word.lock();
            if !word.given {
                word.waker = Some(cx.waker().clone());
                std::task::ready!(self.patience.as_mut().poll(cx));
            }
            self.given = true;
        }
        Poll::Ready(())
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Torn;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Torn>>> {
        match &mut *self {
            Payload::Empty => Poll::Ready(None),
            Payload::Taped { tape, at, attempt, permit } => {
                if tape.borrow().attempt != *attempt {
                    return Poll::Ready(Some(Err(Torn::GivenUp)));
                }
                if let Some(permit) = permit {
                    std::task::ready!(permit.poll(cx));
                }
                let mut tape = tape.borrow_mut();
                if let Some(data) = tape.kept.get(*at) {
                    *at += 1;
                    return Poll::Ready(Some(Ok(Frame::data(data.clone()))));
                }
                if tape.torn {
                    tape.kept = Vec::new();
                }
                let next = std::task::ready!(tape.poll_next(cx));
                // Its place is behind what has just been kept.
                *at = tape.kept.len();
                Poll::Ready(next.map(|frame| frame.map_err(Torn::from)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Payload::Empty => true,
            Payload::Taped { tape, at, attempt: _, permit: _ } => {
                let tape = tape.borrow();
                tape.kept.get(*at).is_none() && (tape.ended.is_some() || tape.source.is_end_stream())
            }
        }
    }

    /// Exact where the client has said how long its body is, so that it goes on with that length.
    fn size_hint(&self) -> SizeHint {
        match self {
            Payload::Empty => SizeHint::with_exact(0),
            Payload::Taped { tape, at, attempt: _, permit: _ } => {
                let tape = tape.borrow();
                let ahead: u64 =
                    tape.kept[(*at).min(tape.kept.len())..].iter().map(|data| data.len() as u64).sum();
                match tape.source.size_hint().exact() {
                    Some(rest) => SizeHint::with_exact(ahead + rest),
                    None => SizeHint::default(),
                }
            }
        }
    }
}
