//! Writes a message to a connection: its head together with what there is of its body, then what comes of that.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use adsum_framing::{Outgoing, WrongLength};
use bytes::Bytes;
use hyper::body::Body;
use tokio::io::AsyncWrite;

#[derive(Debug, Default)]
pub(crate) struct Outlet {
    pub(crate) outgoing: Outgoing,
    /// Something was written that may not have left.
    unflushed: bool,
}

/// Why a message does not come to its end.
#[derive(Debug)]
pub(crate) enum Stuck<E> {
    Io(io::Error),
    /// What was to be written has failed.
    Body(E),
    WrongLength,
}

impl<E> From<WrongLength> for Stuck<E> {
    fn from(_: WrongLength) -> Self {
        Stuck::WrongLength
    }
}

impl Outlet {
    /// Whether nothing is left to be written, and nothing to come.
    pub(crate) fn is_over(&self) -> bool {
        self.outgoing.is_over() && !self.unflushed
    }

    /// Ready when all of the message has been written.
    pub(crate) fn poll_write<B: Body<Data = Bytes> + Unpin>(
        &mut self,
        socket: &mut (impl AsyncWrite + Unpin),
        body: &mut B,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stuck<B::Error>>> {
        loop {
            // The head goes out together with what there is of the body.
            let waits = self.outgoing.wants_piece() && self.poll_pull(body, cx)?.is_pending();
            ready!(self.poll_out(socket, cx)).map_err(Stuck::Io)?;
            if waits {
                return Poll::Pending;
            }
            if self.outgoing.is_over() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Ready when nothing is left to be written now.
    pub(crate) fn poll_out(
        &mut self,
        socket: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let parts = self.outgoing.parts().map(IoSlice::new);
            let written = ready!(Pin::new(&mut *socket).poll_write_vectored(cx, &parts))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(written);
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(socket).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes the next piece of the body.
    fn poll_pull<B: Body<Data = Bytes> + Unpin>(
        &mut self,
        body: &mut B,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stuck<B::Error>>> {
        let Some(frame) = ready!(Pin::new(&mut *body).poll_frame(cx)).transpose().map_err(Stuck::Body)?
        else {
            return Poll::Ready(Ok(self.outgoing.end()?));
        };
        Poll::Ready(match frame.into_data() {
            Ok(data) => Ok(self.outgoing.put(data, body.is_end_stream())?),
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) => Ok(self.outgoing.end_with(&trailers)?),
                Err(_) => Ok(()),
            },
        })
    }
}
