//! The body of an answer on its way to the client.
//!
//! Whoever reads it drives the connection that it comes over. When its last byte has been read, the connection rests
//! for the next request; when it is dropped before, the connection is closed with it.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::events::Events;
use crate::farewell::Farewell;
use crate::patience::Watch;
use crate::payload::Tape;
use crate::station::Lease;
use crate::upstream::{Broken, Line, SharedSeat};
use crate::visit::Visit;
use crate::worker::Worker;

pub(crate) struct Answer {
    source: Source,
    visit: Visit,
}

pub(crate) enum Source {
    Own(Option<Bytes>),
    Instance(Delivery),
    Events(Box<Events>),
}

/// What an answer comes over.
pub(crate) enum Carrier {
    Line(Box<Line>),
    Shared(Stream),
}

/// An answer over HTTP/2.
pub(crate) struct Stream {
    pub(crate) body: Incoming,
    /// Held for as long as the answer takes.
    #[allow(dead_code, reason = "held, and given back when dropped")]
    pub(crate) seat: SharedSeat,
}

/// An instance's body with all that has to be kept while it is read.
pub(crate) struct Delivery {
    /// None when the last byte has come, or what is left is not wanted.
    carrier: Option<Carrier>,
    lease: Option<Lease>,
    silence: Watch,
    idle: Duration,
    /// The request's body: as long as it moves, nobody is silent.
    upload: Option<Rc<RefCell<Tape>>>,
}

/// Bytes of an answer that nobody wants, and how long they may take.
const WORTH_READING: u64 = 64 << 10;
const TIME_TO_READ: Duration = Duration::from_secs(1);

/// Why an answer ends before its end. The client's connection is cut, so that nobody takes a part for the whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cut {
    #[error("the instance's answer has ended early: {0}")]
    Line(#[from] Broken),
    #[error("the instance's answer has ended early: {0}")]
    Stream(#[from] hyper::Error),
    #[error("the instance has been silent for too long")]
    Silent,
    #[error("the instance's time was over")]
    Drained,
}

impl Carrier {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self {
            Carrier::Line(line) => line.poll_frame(cx).map_err(Cut::from),
            Carrier::Shared(stream) => Pin::new(&mut stream.body).poll_frame(cx).map_err(Cut::from),
        }
    }

    /// Whether nothing is left to be sent. What a shared connection has of a request is its own affair: a body that was given
    /// up fails there by itself.
    pub(crate) fn has_asked(&self) -> bool {
        match self {
            Carrier::Line(line) => line.has_asked(),
            Carrier::Shared(_) => true,
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Carrier::Line(line) => line.is_end_stream(),
            Carrier::Shared(stream) => stream.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Carrier::Line(line) => line.left().map_or_else(SizeHint::default, SizeHint::with_exact),
            Carrier::Shared(stream) => stream.body.size_hint(),
        }
    }
}

impl Source {
    pub(crate) fn instance(mut delivery: Delivery) -> Source {
        if delivery.is_end_stream() {
            delivery.end();
            return Source::Own(None);
        }
        Source::Instance(delivery)
    }

    /// Goes on without a known end. `readable` is where its events end, if it is not compressed.
    pub(crate) fn events(mut delivery: Delivery, worker: &Worker, readable: bool) -> Source {
        match &delivery.lease {
            Some(lease) if !delivery.is_end_stream() => {
                let farewell = Farewell::new(worker, &lease.upstream);
                delivery.upgrade();
                Source::Events(Box::new(Events::new(delivery, farewell, readable)))
            }
            Some(_) | None => Source::instance(delivery),
        }
    }
}

impl Delivery {
    pub(crate) fn new(
        carrier: Carrier,
        lease: Lease,
        idle: Duration,
        upload: Option<Rc<RefCell<Tape>>>,
    ) -> Delivery {
        Delivery { carrier: Some(carrier), lease: Some(lease), silence: Watch::default(), idle, upload }
    }

    /// It is not wanted. A short one is read to its end, so that its connection can be used again; but not where that would
    /// take more of the request along, which goes elsewhere.
    pub(crate) fn discard(mut self) {
        if !self.carrier.as_ref().is_none_or(Carrier::has_asked) {
            return;
        }
        if self.is_end_stream() {
            return self.end();
        }
        if self.size_hint().upper().is_none_or(|length| length > WORTH_READING) {
            return;
        }
        tokio::task::spawn_local(async move {
            let read = std::future::poll_fn(|cx| {
                while let Some(frame) = ready!(self.poll_next(cx)) {
                    if frame.is_err() {
                        break;
                    }
                }
                Poll::Ready(())
            });
            let _ = tokio::time::timeout(TIME_TO_READ, read).await;
        });
    }

    fn is_end_stream(&self) -> bool {
        self.carrier.as_ref().is_none_or(Carrier::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.carrier.as_ref().map_or_else(|| SizeHint::with_exact(0), Carrier::size_hint)
    }

    fn upgrade(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.upgrade();
        }
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let Some(carrier) = &mut self.carrier else { return Poll::Ready(None) };
        match carrier.poll_frame(cx) {
            Poll::Pending if self.idle.is_zero() => Poll::Pending,
            Poll::Pending => {
                ready!(self.poll_silence(cx));
                Poll::Ready(Some(Err(Cut::Silent)))
            }
            Poll::Ready(next) => {
                self.silence.has_come();
                let frame = next.as_ref().and_then(|next| next.as_ref().ok());
                if let (Some(trailers), Some(lease)) = (frame.and_then(Frame::trailers_ref), &mut self.lease)
                {
                    lease.conclude(trailers);
                }
                if next.is_none() || carrier.is_end_stream() {
                    self.end();
                }
                Poll::Ready(next)
            }
        }
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let since = self.silence.since(now);
        let moved = self.upload.as_ref().map_or(since, |tape| tape.borrow().moved());
        self.silence.poll_until(since.max(moved) + self.idle, now, cx)
    }

    /// The last byte has come: the connection is free, and so is the instance.
    fn end(&mut self) {
        let now = Instant::now();
        if let (Some(Carrier::Line(line)), Some(lease)) = (self.carrier.take(), &self.lease) {
            lease.upstream.rest(line, now);
        }
        self.lease = None;
    }

    /// What is left of it is not wanted.
    pub(crate) fn close(&mut self) {
        self.carrier = None;
        self.lease = None;
    }

    pub(crate) fn count_cut(&self) {
        if let Some(lease) = &self.lease {
            lease.cut();
        }
    }
}

impl Answer {
    pub(crate) fn new(source: Source, mut visit: Visit) -> Answer {
        if matches!(source, Source::Own(None)) {
            visit.complete();
        }
        Answer { source, visit }
    }

    /// What is remembered of its request.
    pub(crate) fn visit(&self) -> &Visit {
        &self.visit
    }

    /// The client has not taken all of it, though all was read.
    pub(crate) fn break_off(&mut self) {
        self.visit.broken_off();
    }

    /// Its head is all of it: none of its body is to be written.
    pub(crate) fn complete(&mut self) {
        self.visit.complete();
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let next = match &mut self.source {
            Source::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Instance(delivery) => delivery.poll_next(cx),
            Source::Events(events) => events.poll_next(cx),
        };
        let next = ready!(next);
        if let Some(Ok(frame)) = &next {
            self.visit.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        if let Some(Err(cut)) = &next {
            tracing::debug!(%cut, "an answer is cut");
        }
        if next.is_none() || self.is_end_stream() {
            self.visit.complete();
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Own(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Source::Instance(delivery) => delivery.is_end_stream(),
            Source::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Source::Instance(delivery) => delivery.size_hint(),
            // It may end before its end.
            Source::Events(_) => SizeHint::default(),
        }
    }
}
