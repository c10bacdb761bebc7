//! A request's body on its way from the client, over either protocol.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Weak;
use std::task::{Context, Poll};

use adsum_framing::Flaw;
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};

use super::wire::Wire;

#[derive(Debug)]
pub(crate) enum Body {
    Empty,
    /// Over HTTP/1.
    Upload(Upload),
    /// Over HTTP/2.
    Stream(Incoming),
}

/// What comes of the connection behind a head. It does not keep that open.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(super) wire: Weak<RefCell<Wire>>,
    /// Whose body it is: which request of the connection.
    pub(super) request: u64,
}

/// Why a body does not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Stream(#[from] hyper::Error),
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
            Body::Stream(incoming) => Pin::new(incoming).poll_frame(cx).map_err(Error::from),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Upload(upload) => upload.left() == Some(0),
            Body::Stream(incoming) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Upload(upload) => upload.left().map_or_else(SizeHint::default, SizeHint::with_exact),
            Body::Stream(incoming) => incoming.size_hint(),
        }
    }
}
