//! The bytes of a client's connection, never waited for without end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Socket;
use super::gate::Gate;
use super::linger::Linger;
use crate::gather::poll_write_gathered;
use crate::patience::Watch;

/// An HTTP/2 client that never stops sending lets others have their turn after so many reads: a read may bring a thousand
/// frames of next to nothing.
const READS_AT_ONCE: u8 = 8;

#[derive(Debug)]
pub(crate) struct Stream {
    socket: Socket,
    /// Read already, and not taken yet.
    first: BytesMut,
    /// How long the client may take nothing of what is written.
    patience: Duration,
    writing: Watch,
    /// Of HTTP/2 alone: HTTP/1 and tunnels have their own.
    pace: Option<Pace>,
}

/// When a client has said nothing for too long, or enough for now.
#[derive(Debug)]
struct Pace {
    gate: Gate,
    idle: Duration,
    reading: Watch,
    /// Reads that brought something, one after the other.
    reads: u8,
}

impl Stream {
    /// A client that takes nothing for `patience` is given up.
    pub(crate) fn new(socket: Socket, patience: Duration) -> Stream {
        Stream { socket, first: BytesMut::new(), patience, writing: Watch::default(), pace: None }
    }

    /// `first` was read from the socket before.
    pub(super) fn preceded_by(self, first: BytesMut) -> Stream {
        Stream { first, ..self }
    }

    /// Ends when nothing is owed for so long and nothing is asked for.
    pub(super) fn paced(self, gate: Gate, idle: Duration) -> Stream {
        Stream { pace: Some(Pace { gate, idle, reading: Watch::default(), reads: 0 }), ..self }
    }

    fn stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(self.writing.poll_for(self.patience, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn watch_write(
        &mut self,
        taken: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match taken {
            Poll::Pending => self.stalled(cx),
            Poll::Ready(outcome) => {
                self.writing.has_come();
                Poll::Ready(outcome)
            }
        }
    }

    /// Whether its end needs no word of its own: the kernel tells it behind what was written.
    pub(super) fn ends_when_dropped(&self) -> bool {
        matches!(self.socket, Socket::Plain(_))
    }

    /// Has it end by a reset rather than in order.
    pub(super) fn reset(&self) {
        self.socket.reset();
    }

    /// Reads for nothing what the client still sends.
    pub(super) fn poll_linger(&mut self, linger: &mut Linger, cx: &mut Context<'_>) -> Poll<()> {
        linger.poll(&mut self.socket, cx)
    }
}

impl Pace {
    /// Whether others have their turn.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.reads < READS_AT_ONCE {
            return Poll::Ready(());
        }
        self.reads = 0;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Nothing has come: is it time to give up?
    fn impatience(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.reads = 0;
        let Some(since) = self.gate.idle_since() else { return Poll::Pending };
        ready!(self.reading.poll_until(since + self.idle, Instant::now(), cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.first.is_empty() {
            let length = this.first.len().min(buf.remaining());
            buf.put_slice(&this.first[..length]);
            this.first.advance(length);
            return Poll::Ready(Ok(()));
        }
        let Some(pace) = &mut this.pace else {
            return Pin::new(&mut this.socket).poll_read(cx, buf);
        };
        ready!(pace.poll_turn(cx));
        match Pin::new(&mut this.socket).poll_read(cx, buf) {
            Poll::Pending => pace.impatience(cx),
            Poll::Ready(read) => {
                pace.reads += 1;
                Poll::Ready(read)
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let taken = Pin::new(&mut this.socket).poll_write(cx, buf);
        this.watch_write(taken, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let taken = poll_write_gathered(Pin::new(&mut this.socket), cx, bufs);
        this.watch_write(taken, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.socket).poll_flush(cx) {
            Poll::Pending => this.stalled(cx).map_ok(|_| ()),
            Poll::Ready(outcome) => Poll::Ready(outcome),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.socket).poll_shutdown(cx) {
            Poll::Pending => this.stalled(cx).map_ok(|_| ()),
            Poll::Ready(outcome) => Poll::Ready(outcome),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
