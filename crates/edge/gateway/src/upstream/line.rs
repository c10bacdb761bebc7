//! One HTTP/1.1 connection to an instance. What its bytes mean is decided in `core/framing`.
//!
//! Nobody but the request that uses it drives it: while an answer is awaited and while its body is read, each poll of
//! the request is a poll of the connection. So a request that is dropped takes its connection with it, and a request
//! costs no switch between tasks.
//!
//! Invariants:
//! - A request begins only where nothing has come that nobody asked for; otherwise no byte of it leaves.
//! - It is used again only when a request and its answer have ended, and nothing has come behind the answer.

use std::future::{Future, poll_fn};
use std::io;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use adsum_framing::{AnswerHead, AnswerReader, Asking, Content, Extent, Flaw, Piece};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Response, StatusCode, response};
use hyper::body::{Body as _, Frame};
use hyper::ext::ReasonPhrase;

use super::socket::Socket;
use crate::intake::Intake;
use crate::outlet::{Outlet, Stuck};
use crate::payload::{Payload, Torn};
use crate::turn::Turn;

/// Bytes that there is room for when something is read, at first.
const ROOM: usize = 8 << 10;
/// Bytes of a body of known length that are passed on together, if they are there.
const PIECE: u64 = 64 << 10;

pub(crate) struct Line {
    socket: Socket,
    outlet: Outlet,
    payload: Payload,
    incoming: Intake,
    answer: AnswerReader,
    content: Content,
    /// It may be used again after the answer that is under way, by what that has said.
    keeps: bool,
    /// It has ended, or has failed.
    over: bool,
    /// When its last answer ended; of a fresh one when it was made.
    pub(crate) rested: Instant,
    pub(crate) reused: bool,
    /// How long it may rest and be used again.
    pub(crate) patience: Duration,
}

/// What became of a request that got no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// No byte of it has left, or the instance had ended the connection before any could arrive.
    NotSent,
    /// Some of it may have reached the instance.
    Sent(Broken),
    /// What came back is no HTTP.
    Invalid(Flaw),
}

/// Why a request, or the answer to it, does not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error(transparent)]
    Flaw(#[from] Flaw),
    #[error("the connection has failed: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Body(#[from] Torn),
    #[error("the client's body is not as long as was said")]
    WrongLength,
    #[error("something came before the request")]
    Unasked,
}

impl From<Stuck<Torn>> for Broken {
    fn from(stuck: Stuck<Torn>) -> Broken {
        match stuck {
            Stuck::Io(error) => Broken::Io(error),
            Stuck::Body(torn) => Broken::Body(torn),
            Stuck::WrongLength => Broken::WrongLength,
        }
    }
}

impl Line {
    pub(crate) fn new(socket: Socket, patience: Duration) -> Line {
        Line {
            socket,
            outlet: Outlet::default(),
            payload: Payload::Empty,
            incoming: Intake::new(BytesMut::new(), ROOM),
            answer: AnswerReader::default(),
            content: Content::default(),
            keeps: true,
            over: false,
            rested: Instant::now(),
            reused: false,
            patience,
        }
    }

    /// Sends a request, when its turn has come, and waits for the beginning of its answer. `heed` is told of what comes before
    /// (1xx).
    pub(crate) fn send<'a>(
        &'a mut self,
        asking: Asking<'a>,
        payload: Payload,
        mut turn: Turn,
        mut heed: impl FnMut(StatusCode, &HeaderMap) + 'a,
    ) -> impl Future<Output = Result<response::Parts, Unanswered>> + 'a {
        let before = self.socket.written();
        let mut payload = Some(payload);
        // Of what an `async fn` is given, it has room for twice.
        poll_fn(move |cx| {
            // Before the connection is looked at: what is found out is not to grow old.
            ready!(turn.poll(cx));
            let outcome = match payload.take() {
                Some(payload) => match self.begin(&asking, payload, cx) {
                    Ok(()) => return Poll::Pending,
                    Err(broken) => Err(broken),
                },
                None => ready!(self.poll_answer(asking.method, &mut heed, cx)),
            };
            Poll::Ready(
                outcome.map(|head| self.answered(head)).map_err(|broken| self.unanswered(broken, before)),
            )
        })
    }

    fn unanswered(&mut self, broken: Broken, before: u64) -> Unanswered {
        self.over = true;
        match broken {
            Broken::Flaw(flaw) if self.is_of_answer(flaw) => Unanswered::Invalid(flaw),
            _ if !self.socket.may_have_arrived_since(before) => Unanswered::NotSent,
            broken => Unanswered::Sent(broken),
        }
    }

    /// Whether it tells what the instance speaks. What begins like no answer on a connection that was used before may be
    /// the end of an earlier one, and nobody's answer.
    fn is_of_answer(&self, flaw: Flaw) -> bool {
        match flaw {
            Flaw::StatusLine => !self.reused,
            Flaw::Framing(_) => true,
            Flaw::Early => false,
        }
    }

    /// Looks first whether the instance has closed it, or has said something that nobody asked for. When it has not, the task is
    /// woken as soon as it does: an answer is not looked for until then.
    fn begin(&mut self, asking: &Asking<'_>, payload: Payload, cx: &mut Context<'_>) -> Result<(), Broken> {
        if !self.is_ready() || self.poll_fill(cx).is_ready() {
            if !self.reused {
                // No answer to anything, but it may tell of another protocol.
                self.read_head(asking.method)?;
            }
            return Err(Broken::Unasked);
        }
        self.outlet.outgoing.begin(asking, extent(&payload));
        self.payload = payload;
        match self.poll_push(cx) {
            Poll::Ready(pushed) => pushed,
            Poll::Pending => Ok(()),
        }
    }

    fn poll_answer(
        &mut self,
        method: &Method,
        heed: &mut impl FnMut(StatusCode, &HeaderMap),
        cx: &mut Context<'_>,
    ) -> Poll<Result<AnswerHead, Broken>> {
        loop {
            self.push_on(cx)?;
            match self.read_head(method)? {
                Some(head) if !is_interim(head.status) => return Poll::Ready(Ok(head)),
                Some(head) => {
                    self.keeps &= head.keeps;
                    heed(head.status, &head.headers);
                    // The body may have waited for it; and the client gets it before anything of the answer.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                None => {}
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Err(Flaw::Early.into()));
            }
        }
    }

    fn read_head(&mut self, method: &Method) -> Result<Option<AnswerHead>, Flaw> {
        if self.incoming.bytes.is_empty() {
            Ok(None)
        } else {
            self.answer.read(&mut self.incoming.bytes, method)
        }
    }

    fn answered(&mut self, head: AnswerHead) -> response::Parts {
        self.content = head.content;
        self.keeps &= head.keeps && head.status != StatusCode::SWITCHING_PROTOCOLS;
        let (mut parts, ()) = Response::new(()).into_parts();
        parts.status = head.status;
        parts.headers = head.headers;
        if let Some(reason) = head.reason.and_then(|reason| ReasonPhrase::try_from(reason).ok()) {
            parts.extensions.insert(reason);
        }
        parts
    }

    /// What comes next of the answer's body. What is left of the request goes on meanwhile.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let next = self.poll_piece(cx);
        if let Poll::Ready(Some(Err(_))) = &next {
            self.over = true;
        }
        next
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.push_on(cx)?;
        self.read_ahead(cx);
        loop {
            match self.content.next(&mut self.incoming.bytes).map_err(Broken::from)? {
                Piece::Data(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Piece::Trailers(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Piece::End => return Poll::Ready(None),
                Piece::Nothing => {}
            }
            if ready!(self.poll_fill(cx))? == 0 {
                self.over = true;
                self.content.closed().map_err(Broken::from)?;
            }
        }
    }

    /// Reads what has come of a long body, so that it goes on in few and large pieces.
    fn read_ahead(&mut self, cx: &mut Context<'_>) {
        let Some(left) = self.content.left() else { return };
        while (self.incoming.bytes.len() as u64) < left.min(PIECE) {
            self.incoming.expect(left);
            // How it ends is seen by whoever asks for the rest, since some of the length is missing then.
            if !matches!(self.poll_fill(cx), Poll::Ready(Ok(1..))) {
                break;
            }
        }
    }

    /// Takes the headers of a request that has been answered: the next answer has room in them.
    pub(crate) fn recycle(&mut self, headers: HeaderMap) {
        self.answer.recycle(headers);
    }

    /// Whether the end of the answer has been read.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.content.is_over()
    }

    /// How much of the answer is to come, if that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        self.content.left()
    }

    /// While an answer is awaited, or read.
    fn push_on(&mut self, cx: &mut Context<'_>) -> Result<(), Broken> {
        if self.has_asked() {
            return Ok(());
        }
        match self.poll_push(cx) {
            Poll::Ready(pushed) => pushed,
            Poll::Pending => Ok(()),
        }
    }

    /// Ready when all of the request has been written, or no more of it can be: an instance that takes no more of it may
    /// have answered before, and what is to be read tells.
    fn poll_push(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        match ready!(self.poll_write(cx)) {
            Err(Broken::Io(error)) => {
                tracing::debug!(%error, "an instance takes no more of a request");
                self.keeps = false;
                self.outlet = Outlet::default();
                self.payload = Payload::Empty;
                Poll::Ready(Ok(()))
            }
            written => Poll::Ready(written),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        ready!(self.outlet.poll_write(&mut self.socket, &mut self.payload, cx))?;
        self.payload = Payload::Empty;
        Poll::Ready(Ok(()))
    }

    /// Reads what there is. 0 is the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.incoming.poll_fill(&mut self.socket, cx)
    }

    /// After 101: waits until all of HTTP has been said, and gives the connection away, with what was read behind it.
    pub(crate) async fn into_socket(mut self) -> Option<(Socket, Bytes)> {
        poll_fn(|cx| self.poll_push(cx)).await.ok()?;
        Some((self.socket, self.incoming.bytes.freeze()))
    }

    /// Whether nothing is left to be written of its request.
    pub(crate) fn has_asked(&self) -> bool {
        self.outlet.is_over()
    }

    /// Whether it can take a further request, as far as is known.
    pub(crate) fn is_ready(&self) -> bool {
        let heard_all = self.content.is_over() && self.incoming.bytes.is_empty();
        self.has_asked() && heard_all && self.keeps && !self.over
    }

    /// Looks whether the instance has closed it, or said something that nobody asked for.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.is_ready() && self.poll_fill(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// It has nothing to do for now: what was needed for a long answer is given back.
    pub(crate) fn rest(&mut self, now: Instant) {
        self.rested = now;
        self.incoming.rest();
    }
}

fn extent(payload: &Payload) -> Extent {
    match payload.size_hint().exact() {
        _ if payload.is_end_stream() => Extent::Nothing,
        Some(length) => Extent::Length(length),
        None => Extent::Chunked,
    }
}

fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}
