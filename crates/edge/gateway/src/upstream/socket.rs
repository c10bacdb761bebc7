//! The bytes to and from an instance, counted as they leave.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::client::TlsStream;

use crate::gather::poll_write_gathered;

/// A connection to an instance.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    /// Bytes that the kernel (or the TLS session) has taken, ever. What was never taken cannot have reached the instance.
    written: u64,
    heard: Option<Rc<Notify>>,
}

#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    pub(crate) fn new(stream: Stream) -> Socket {
        Socket { stream, written: 0, heard: None }
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Is rung whenever the instance has said something.
    pub(crate) fn tell_when_heard(&mut self) -> Rc<Notify> {
        self.heard.get_or_insert_default().clone()
    }

    fn count(&mut self, taken: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
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
        let read = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
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
