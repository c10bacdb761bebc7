//! One HTTP/1 connection of a client: what is read of it. What its bytes mean is decided in `core/framing`.
//!
//! A client that ends its side while it is owed an answer is taken to have gone, and what it asked for is let go, as
//! nginx does: the end of a client that has crashed, was closed or has lost its patience looks no different from
//! `shutdown` for writing, and clients that do the latter before they have their answer are rare. Whoever needs it says
//! `Connection: close` instead. Tunnels and TCP ports do pass on the end of one direction.
//!
//! Invariants:
//! - Nothing behind a request is looked at before that has been answered; what is read of it meanwhile is bounded.
//! - A body gives nothing to any request but its own.
//! - The socket wakes the connection's own task, whoever reads.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use adsum_framing::{Content, Flaw, Piece, RequestHead, RequestReader};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use hyper::body::Frame;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::body::Error;
use super::gate::{Gate, Refused};
use super::{Linger, Stream};
use crate::intake::Intake;
use crate::patience::Watch;
use crate::settings::Limits;

/// Bytes that there is room for when something is read, at first.
const ROOM: usize = 4 << 10;
/// Bytes that are read behind a request before it has been answered: further ones are left in the socket.
const AHEAD: usize = 16 << 10;

#[derive(Debug)]
pub(crate) struct Wire {
    stream: Stream,
    gate: Gate,
    intake: Intake,
    reader: RequestReader,
    /// The body of the last request.
    content: Content,
    /// Requests so far.
    request: u64,
    /// The client waits for a word before it sends the body.
    owes_continue: bool,
    patience: Patience,
    /// Since when a head has begun to come.
    head_since: Option<Instant>,
    resting: Watch,
    silence: Watch,
    /// Wakes the connection's own task.
    driver: Waker,
    waits: Waiting,
    /// The client has not said that it wants to end it.
    goes_on: bool,
}

/// Whoever has asked for more of a body and got nothing. Told, too, when there will be nothing.
#[derive(Debug, Default)]
struct Waiting(Option<Waker>);

#[derive(Clone, Copy, Debug)]
struct Patience {
    head: Duration,
    idle: Duration,
    body: Duration,
}

/// What a client wants.
pub(super) enum Asked {
    Request(RequestHead),
    Refused(Refused),
    /// It has closed the connection, or rests for too long.
    Nothing,
}

impl Wire {
    /// `first` was read to see what the client speaks.
    pub(super) fn new(stream: Stream, first: BytesMut, gate: Gate, limits: &Limits) -> Wire {
        let (head, idle, body) = (limits.head_timeout, limits.idle_timeout, limits.body_timeout);
        Wire {
            stream,
            gate,
            intake: Intake::new(first, ROOM),
            reader: RequestReader::new(limits.framing()),
            content: Content::default(),
            request: 0,
            owes_continue: false,
            patience: Patience { head, idle, body },
            head_since: None,
            resting: Watch::default(),
            silence: Watch::default(),
            driver: Waker::noop().clone(),
            waits: Waiting::default(),
            goes_on: false,
        }
    }

    /// The next request. The one before has been answered, and its body read.
    pub(super) fn poll_asked(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Asked>> {
        loop {
            if !self.intake.bytes.is_empty() {
                match self.reader.read(&mut self.intake.bytes) {
                    Ok(Some(head)) => return Poll::Ready(Ok(Asked::Request(self.begin(head, cx)))),
                    Ok(None) => {}
                    Err(offence) => return Poll::Ready(Ok(self.refuse(Refused::Offence(offence)))),
                }
            }
            match self.intake.poll_fill(&mut self.stream, cx)? {
                Poll::Ready(0) => return Poll::Ready(Ok(Asked::Nothing)),
                Poll::Ready(_) => {}
                Poll::Pending => return self.impatience(cx).map(Ok),
            }
        }
    }

    fn begin(&mut self, mut head: RequestHead, cx: &mut Context<'_>) -> RequestHead {
        self.request += 1;
        self.head_since = None;
        self.owes_continue = head.expects_continue;
        self.content = std::mem::take(&mut head.content);
        if !self.content.is_over() {
            self.silence.has_come();
            self.driver.clone_from(cx.waker());
        }
        head
    }

    fn refuse(&mut self, why: Refused) -> Asked {
        self.gate.refuse(why);
        Asked::Refused(why)
    }

    /// Nothing has come: is it time to give up?
    fn impatience(&mut self, cx: &mut Context<'_>) -> Poll<Asked> {
        let Some(rests) = self.gate.idle_since() else { return Poll::Pending };
        let until = match self.is_within_head() {
            // Its time begins with it, however long the client was silent before.
            true => rests.max(*self.head_since.get_or_insert_with(Instant::now)) + self.patience.head,
            false if self.request == 0 => rests + self.patience.head,
            false => rests + self.patience.idle,
        };
        ready!(self.resting.poll_at(until, cx));
        Poll::Ready(if self.is_within_head() { self.refuse(Refused::TooSlow) } else { Asked::Nothing })
    }

    /// Whether the next request has begun to come.
    pub(super) fn is_within_head(&self) -> bool {
        !self.intake.bytes.is_empty()
    }

    /// Whether a body follows the last head.
    pub(super) fn has_body(&self) -> bool {
        !self.content.is_over()
    }

    /// Which request it is, counted from 1.
    pub(super) fn request(&self) -> u64 {
        self.request
    }

    /// How much is to come of the body of a request, where that is known.
    pub(super) fn left(&self, request: u64) -> Option<u64> {
        if self.request == request { self.content.left() } else { None }
    }

    /// What comes next of the body of a request.
    pub(super) fn poll_body(
        &mut self,
        request: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.request != request {
            return Poll::Ready(Some(Err(Error::Over)));
        }
        if std::mem::take(&mut self.owes_continue) {
            self.gate.say_interim(StatusCode::CONTINUE, &HeaderMap::new());
            // Who asks may be another task than the one that writes.
            self.driver.wake_by_ref();
        }
        loop {
            let was_full = self.intake.bytes.len() >= AHEAD;
            let piece = self.content.next(&mut self.intake.bytes);
            if was_full && self.intake.bytes.len() < AHEAD {
                // Whoever looks for the client's end has room to read again.
                self.driver.wake_by_ref();
            }
            match piece {
                Ok(Piece::Data(data)) => return self.moved(Frame::data(data)),
                Ok(Piece::Trailers(trailers)) => return self.moved(Frame::trailers(trailers)),
                Ok(Piece::End) => return Poll::Ready(None),
                Ok(Piece::Nothing) => {}
                Err(flaw) => return Poll::Ready(Some(Err(self.blame(flaw).into()))),
            }
            match self.intake.poll_fill(&mut self.stream, &mut Context::from_waker(&self.driver))? {
                Poll::Ready(0) => return Poll::Ready(Some(Err(Flaw::Early.into()))),
                Poll::Ready(_) => {}
                Poll::Pending => return self.await_body(cx),
            }
        }
    }

    fn moved(&mut self, frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.silence.has_come();
        Poll::Ready(Some(Ok(frame)))
    }

    fn blame(&mut self, flaw: Flaw) -> Flaw {
        if let Flaw::Framing(offence) = flaw {
            self.gate.refuse(Refused::Offence(offence));
        }
        flaw
    }

    fn await_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.waits.set(cx.waker());
        ready!(self.silence.poll_for(self.patience.body, cx));
        self.gate.refuse(Refused::TooSlow);
        Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
    }

    /// While a request is under way. Ready when its client has gone.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        while self.intake.bytes.len() < AHEAD {
            match ready!(self.intake.poll_fill(&mut self.stream, cx)) {
                Ok(0) => return Poll::Ready(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => self.waits.wake(),
                Err(error) => return Poll::Ready(error),
            }
        }
        Poll::Pending
    }

    /// The answer begins: whether the body is wanted is told by now.
    pub(super) fn answered(&mut self) {
        self.owes_continue = false;
    }

    /// Takes what has come of a body that nobody wants. Whether that was all of it.
    pub(super) fn drain(&mut self, cx: &mut Context<'_>) -> bool {
        if self.content.is_over() {
            return true;
        }
        if self.intake.bytes.is_empty() {
            // How it ends is seen by whoever writes.
            let _ = self.intake.poll_fill(&mut self.stream, cx);
        }
        loop {
            match self.content.next(&mut self.intake.bytes) {
                Ok(Piece::Data(_) | Piece::Trailers(_)) => {}
                Ok(Piece::End) => return true,
                Ok(Piece::Nothing) => return false,
                Err(flaw) => {
                    self.blame(flaw);
                    return false;
                }
            }
        }
    }

    /// An answer has ended, and these are its headers.
    pub(super) fn rest(&mut self, headers: HeaderMap) {
        self.reader.recycle(headers);
        self.intake.rest();
    }

    /// How the connection ends, when its client may still be sending something that nobody will read.
    fn linger(&self) -> Option<Linger> {
        match self.gate.refused() {
            Some(_) => Some(Linger::refused()),
            None if self.has_body() => Some(Linger::unwanted()),
            None => (self.goes_on || self.is_within_head()).then(Linger::refused),
        }
    }

    /// The client does not expect an end, and may have sent a further request (RFC 9112, 9.6).
    pub(super) fn goes_on(&mut self) {
        self.goes_on = true;
    }

    /// Has the connection end by a reset.
    pub(super) fn reset(&self) {
        self.stream.reset();
    }

    /// The connection without HTTP, with what was read behind that.
    pub(super) fn into_stream(self) -> Stream {
        self.stream.preceded_by(self.intake.bytes)
    }

    /// Tells the client that nothing more comes.
    pub(super) async fn close(mut self) {
        // Nothing of a body is given any more.
        self.waits.wake();
        let linger = self.linger();
        if linger.is_none() && self.stream.ends_when_dropped() {
            return;
        }
        if self.stream.shutdown().await.is_err() {
            return;
        }
        if let Some(mut linger) = linger {
            std::future::poll_fn(|cx| self.stream.poll_linger(&mut linger, cx)).await;
        }
    }
}

impl Waiting {
    fn set(&mut self, waker: &Waker) {
        if !self.0.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.0 = Some(waker.clone());
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.wake();
    }
}

/// The other direction. What is written may ask for more of what is read meanwhile, so that it holds nothing between two
/// calls.
pub(super) struct Mouth<'a>(pub(super) &'a std::cell::RefCell<Wire>);

impl AsyncWrite for Mouth<'_> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_shutdown(cx)
    }
}
