//! What h2 writes to a connection while that is polled once, in one piece: by itself it hands each frame over alone,
//! 16 KiB at most, and what a write costs the kernel and the client hardly depends on how long it is.
//!
//! Invariant: whoever polls the connection has what was gathered sent behind each poll. Nothing waits for more to come.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Stream;

/// Bytes that are gathered at most.
const MOST: usize = 64 << 10;
/// Room for so many is kept.
const KEPT: usize = 4 << 10;

#[derive(Clone, Debug)]
pub(super) struct Bundle(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    stream: Stream,
    gathered: Vec<u8>,
    /// Of these, how many have been sent.
    sent: usize,
    /// Something was sent that may not have left.
    unflushed: bool,
    /// Something was read since somebody asked.
    heard: bool,
    /// There was nothing to be read, or it is the turn of others. h2 asks again for each request that it gives away; but before the task has waited,
    /// nothing new is known.
    silent: bool,
}

impl Bundle {
    pub(super) fn new(stream: Stream) -> Bundle {
        Bundle(Rc::new(RefCell::new(State {
            stream,
            gathered: Vec::new(),
            sent: 0,
            unflushed: false,
            heard: false,
            silent: false,
        })))
    }

    /// Whether the client has said anything since this was asked last.
    pub(super) fn has_heard(&self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().heard)
    }

    /// What comes of a connection that writes to this.
    pub(super) async fn drive<T>(&self, connection: impl Future<Output = T>) -> io::Result<T> {
        let mut connection = pin!(connection);
        poll_fn(|cx| {
            self.0.borrow_mut().silent = false;
            let ended = connection.as_mut().poll(cx);
            let sent = self.0.borrow_mut().poll_send(cx);
            match (ended, sent) {
                (Poll::Ready(ended), _) => Poll::Ready(Ok(ended)),
                (Poll::Pending, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
                (Poll::Pending, Poll::Ready(Ok(())) | Poll::Pending) => Poll::Pending,
            }
        })
        .await
    }
}

impl State {
    /// Ready when nothing is left.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.gathered.len() {
            let rest = &self.gathered[self.sent..];
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
            self.unflushed = true;
        }
        if !self.gathered.is_empty() {
            self.gathered.clear();
            self.gathered.shrink_to(KEPT);
            self.sent = 0;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.gathered.len() >= MOST {
            ready!(self.poll_send(cx))?;
        }
        Poll::Ready(Ok(MOST - self.gathered.len()))
    }
}

impl AsyncRead for Bundle {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        if state.silent {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut state.stream).poll_read(cx, buf);
        state.heard |= buf.filled().len() > before;
        state.silent = read.is_pending();
        read
    }
}

impl AsyncWrite for Bundle {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.borrow_mut();
        let room = ready!(state.poll_room(cx))?;
        if state.gathered.is_empty() && bufs.iter().map(|buf| buf.len()).sum::<usize>() > KEPT {
            // Mostly more of a body follows.
            state.gathered.reserve(MOST);
        }
        let mut taken = 0;
        for buf in bufs {
            let part = &buf[..buf.len().min(room - taken)];
            state.gathered.extend_from_slice(part);
            taken += part.len();
        }
        Poll::Ready(Ok(taken))
    }

    /// Comes behind each frame: it leaves when the connection has been polled.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        ready!(state.poll_send(cx))?;
        Pin::new(&mut state.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
