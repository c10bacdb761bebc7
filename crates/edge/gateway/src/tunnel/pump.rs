//! Bytes from one end to the other, in one direction.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use adsum_forward::WebSocketScanner;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Read at once, and held while the other end is slow.
const CHUNK: usize = 16 << 10;

pub(super) struct Pump {
    /// Read and not written: from `at` on.
    held: Vec<u8>,
    at: usize,
    ended: bool,
    shut: bool,
    web: Option<Web>,
    pub(super) moved: u64,
}

/// One direction of a WebSocket connection.
#[derive(Default)]
struct Web {
    scanner: WebSocketScanner,
    /// To be put in where the present message ends.
    close: Option<Vec<u8>>,
    /// It was: nothing of what comes goes on.
    closed: bool,
}

impl Pump {
    /// `first` was read already.
    pub(super) fn new(first: &[u8], websocket: bool) -> Pump {
        let mut pump = Pump {
            held: Vec::with_capacity(CHUNK),
            at: 0,
            ended: false,
            shut: false,
            web: websocket.then(Web::default),
            moved: 0,
        };
        pump.take_in(first);
        pump
    }

    /// Has this Close frame put in as soon as a message ends. Not where none would be understood.
    pub(super) fn say_close(&mut self, frame: Vec<u8>) {
        let Some(web) = &mut self.web else { return };
        if web.closed || web.scanner.is_closing() || web.scanner.is_broken() {
            return;
        }
        if web.scanner.is_at_boundary() {
            self.held.extend_from_slice(&frame);
            web.closed = true;
        } else {
            web.close = Some(frame);
        }
    }

    /// Nothing more comes of this direction: its end, or the Close frame of whoever sends.
    pub(super) fn is_done(&self) -> bool {
        self.shut
            || self.web.as_ref().is_some_and(|web| web.closed && (web.scanner.is_closing() || self.ended))
    }

    /// Ready when this direction has ended, and the other end knows.
    pub(super) fn poll(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_write(to, cx))?;
            if self.ended {
                if !self.shut {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.shut = true;
                }
                return Poll::Ready(Ok(()));
            }
            if self.is_done() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_read(from, cx))?;
        }
    }

    fn poll_write(
        &mut self,
        to: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.at < self.held.len() {
            match ready!(Pin::new(&mut *to).poll_write(cx, &self.held[self.at..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => {
                    self.at += taken;
                    self.moved += taken as u64;
                }
            }
        }
        self.at = 0;
        self.held.clear();
        Pin::new(to).poll_flush(cx)
    }

    fn poll_read(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut chunk = [0; CHUNK];
        let mut buf = ReadBuf::new(&mut chunk);
        ready!(Pin::new(from).poll_read(cx, &mut buf))?;
        if buf.filled().is_empty() {
            self.ended = true;
        }
        self.take_in(buf.filled());
        Poll::Ready(Ok(()))
    }

    fn take_in(&mut self, piece: &[u8]) {
        let Some(web) = &mut self.web else {
            self.held.extend_from_slice(piece);
            return;
        };
        let boundaries = web.scanner.feed(piece);
        if web.closed {
            return;
        }
        match (boundaries.first, web.close.take()) {
            (Some(end), Some(close)) => {
                self.held.extend_from_slice(&piece[..end]);
                // The other side has ended the connection itself just now, perhaps.
                if !(web.scanner.is_closing() && end == piece.len()) {
                    self.held.extend_from_slice(&close);
                    web.closed = true;
                }
            }
            (None, close) | (Some(_), close @ None) => {
                web.close = close;
                self.held.extend_from_slice(piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes one byte at each second asking.
    #[derive(Default)]
    struct Slow {
        asked: u32,
    }

    impl AsyncWrite for Slow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            self.asked += 1;
            if self.asked.is_multiple_of(2) { Poll::Pending } else { Poll::Ready(Ok(1)) }
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn each_byte_that_the_other_end_takes_has_moved() {
        let (mut pump, mut to) = (Pump::new(b"slowly", false), Slow::default());
        let mut cx = Context::from_waker(Waker::noop());
        for moved in 1..=3 {
            assert!(pump.poll(&mut tokio::io::empty(), &mut to, &mut cx).is_pending());
            assert_eq!(pump.moved, moved);
        }
    }
}
