//! A request's body on its way from the client, over either protocol.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};

use adsum_framing::Flaw;
use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, StatusCode, header};
use hyper::body::{Frame, SizeHint};

use super::said::Said;
use super::wire::Wire;
use crate::head;

#[derive(Debug)]
pub(crate) enum Body {
    Empty,
    /// Over HTTP/1.
    Upload(Upload),
    /// Over HTTP/2.
    Stream(Box<Inflow>),
}

/// What comes of the connection behind a head. It does not keep that open.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(super) wire: Weak<RefCell<Wire>>,
    /// Whose body it is: which request of the connection.
    pub(super) request: u64,
}

/// What comes of a stream behind its head. h2 sees to it that it is as long as the head has said.
#[derive(Debug)]
pub(crate) struct Inflow {
    stream: RecvStream,
    /// How much is to come, where that is known.
    left: Option<u64>,
    /// All of the data has come: fields may follow.
    data_is_over: bool,
    /// The client waits for a word before it sends any.
    owes: Option<Rc<Said>>,
}

/// Why a body does not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Stream(#[from] h2::Error),
    #[error(transparent)]
    Flaw(#[from] Flaw),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("its request is over")]
    Over,
}

impl Upload {
    /// How much is to come, where that is known.
    fn left(&self) -> Option<u64> {
        self.wire.upgrade().and_then(|wire| wire.borrow().left(self.request))
    }
}

impl Inflow {
    pub(super) fn new(stream: RecvStream, headers: &HeaderMap, said: &Rc<Said>) -> Inflow {
        let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let left = length.and_then(|length| length.parse().ok());
        let owes = head::expects_continue(headers).then(|| said.clone());
        Inflow { stream, left, data_is_over: false, owes }
    }

    /// What has been given has been taken: the client may send as much again.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(said) = self.owes.take() {
            said.say(StatusCode::CONTINUE, HeaderMap::new());
        }
        if !self.data_is_over {
            if let Some(data) = ready!(self.stream.poll_data(cx)).transpose()? {
                self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                self.stream.flow_control().release_capacity(data.len())?;
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            self.data_is_over = true;
        }
        let trailers = ready!(self.stream.poll_trailers(cx))?;
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Body::Empty => Poll::Ready(None),
            Body::Upload(Upload { wire, request }) => match wire.upgrade() {
                Some(wire) => wire.borrow_mut().poll_body(*request, cx),
                None => Poll::Ready(Some(Err(Error::Over))),
            },
            Body::Stream(inflow) => inflow.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Upload(upload) => upload.left() == Some(0),
            Body::Stream(inflow) => inflow.stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Upload(upload) => upload.left().map_or_else(SizeHint::default, SizeHint::with_exact),
            Body::Stream(inflow) => inflow.left.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
