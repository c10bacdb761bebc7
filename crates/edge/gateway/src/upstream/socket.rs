//! The bytes to and from an instance, counted as they leave.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::client::TlsStream;

use crate::gather::poll_write_gathered;
use crate::sys;

/// A connection to an instance.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    /// Bytes that the kernel (or the TLS session) has taken, ever. What was never taken cannot have reached the instance.
    written: u64,
    /// The instance has ended its side (FIN): a reset, or a failure, is not that.
    ended: bool,
    /// Something could not be written. Whoever is told of a reset there reads an end as if it were a FIN.
    refuses: bool,
    heard: Option<Rc<Notify>>,
}

#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    pub(crate) fn new(stream: Stream) -> Socket {
        Socket { stream, written: 0, ended: false, refuses: false, heard: None }
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Whether what was written since then may have come to the instance. It certainly has not when nothing was written,
    /// or when the instance had ended its side before: each segment acknowledges what had arrived when it was sent, so
    /// its FIN, which we have read, would acknowledge a part of it. An instance that reads on behind its own FIN cannot
    /// answer, and is not to process what comes (RFC 9112, section 9.6). A reset proves nothing: the kernel does not heed
    /// what it acknowledges.
    pub(crate) fn may_have_arrived_since(&self, before: u64) -> bool {
        let left = self.written - before;
        let Stream::Plain(stream) = &self.stream else { return left > 0 };
        let is_out = || sys::unacknowledged(stream.as_fd()).is_some_and(|bytes| bytes >= left);
        left > 0 && !(self.ended && is_out())
    }

    /// Is rung whenever the instance has said something.
    pub(crate) fn tell_when_heard(&mut self) -> Rc<Notify> {
        self.heard.get_or_insert_default().clone()
    }

    fn count(&mut self, taken: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.refuses |= matches!(taken, Poll::Ready(Err(_)));
        self.written += match (&taken, &self.stream) {
            (Poll::Ready(Ok(bytes)), _) => *bytes as u64,
            // The session has taken something, and a part of that may have left before this.
            (Poll::Ready(Err(_)), Stream::Tls(_)) => 1,
            (Poll::Ready(Err(_)), Stream::Plain(_)) | (Poll::Pending, _) => 0,
        };
        taken
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (room, held) = (buf.remaining(), buf.filled().len());
        let read = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        self.ended |=
            !self.refuses && room > 0 && buf.filled().len() == held && matches!(read, Poll::Ready(Ok(())));
        if let Some(heard) = self.heard.as_ref().filter(|_| read.is_ready()) {
            heard.notify_one();
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let taken = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        };
        self.count(taken)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = match &mut self.stream {
            Stream::Plain(stream) => poll_write_gathered(Pin::new(stream), cx, bufs),
            Stream::Tls(stream) => poll_write_gathered(Pin::new(stream), cx, bufs),
        };
        self.count(taken)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream as Peer};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{Socket, Stream};

    async fn pair() -> (Socket, Peer) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Socket::new(Stream::Plain(ours)), listener.accept().unwrap().0)
    }

    /// A request and its answer, as before each that uses a connection again.
    async fn used() -> (Socket, Peer) {
        let (mut socket, mut peer) = pair().await;
        socket.write_all(b"first").await.unwrap();
        peer.read_exact(&mut [0; 5]).unwrap();
        std::io::Write::write_all(&mut peer, b"answer").unwrap();
        socket.read_exact(&mut [0; 6]).await.unwrap();
        (socket, peer)
    }

    #[tokio::test]
    async fn what_is_written_to_one_that_has_closed_has_not_arrived() {
        let (mut socket, peer) = used().await;
        let before = socket.written();
        drop(peer);
        socket.write_all(b"second").await.unwrap();
        assert_eq!(socket.read(&mut [0; 9]).await.unwrap(), 0);
        assert!(!socket.may_have_arrived_since(before));
    }

    #[tokio::test]
    async fn what_was_read_before_it_closed_may_have_arrived() {
        let (mut socket, mut peer) = used().await;
        let before = socket.written();
        socket.write_all(b"second").await.unwrap();
        peer.read_exact(&mut [0; 6]).unwrap();
        drop(peer);
        assert_eq!(socket.read(&mut [0; 9]).await.unwrap(), 0);
        assert!(socket.may_have_arrived_since(before));
    }

    #[tokio::test]
    async fn what_was_reset_may_have_arrived() {
        let (mut socket, peer) = used().await;
        let before = socket.written();
        socket.write_all(b"second").await.unwrap();
        // There is something that nobody has read: this resets.
        drop(peer);
        assert!(socket.read(&mut [0; 9]).await.is_err());
        assert!(socket.may_have_arrived_since(before));
    }

    #[tokio::test]
    async fn what_was_reset_may_have_arrived_when_it_is_a_write_that_hears_of_it() {
        let (mut socket, mut peer) = used().await;
        let before = socket.written();
        socket.write_all(b"second").await.unwrap();
        peer.read_exact(&mut [0; 3]).unwrap();
        // There is something that nobody has read: this resets.
        drop(peer);
        while socket.write_all(b"more").await.is_ok() {}
        assert_eq!(socket.read(&mut [0; 9]).await.unwrap(), 0, "the control: it looks like an end");
        assert!(socket.may_have_arrived_since(before));
    }

    #[tokio::test]
    async fn what_is_written_in_two_pieces_has_arrived_with_the_first() {
        let (mut socket, mut peer) = used().await;
        let before = socket.written();
        socket.write_all(b"sec").await.unwrap();
        peer.read_exact(&mut [0; 3]).unwrap();
        drop(peer);
        let _ = socket.write_all(b"ond").await;
        assert_eq!(socket.read(&mut [0; 9]).await.unwrap(), 0);
        assert!(socket.may_have_arrived_since(before));
    }

    #[tokio::test]
    async fn where_nothing_was_written_nothing_has_arrived() {
        let (mut socket, peer) = used().await;
        drop(peer);
        assert_eq!(socket.read(&mut [0; 9]).await.unwrap(), 0);
        assert!(!socket.may_have_arrived_since(socket.written()));
    }
}
