//! The bytes of a client's connection: guarded on their way in, and never waited for without end.
//!
//! ```text
//!   socket -> [held: not complete, not released] -> [released] -> parser
//! ```
//!
//! In the usual case a read goes straight into the parser's buffer and all of it is released there; only what is not
//! complete is moved into `held`.
//!
//! A client that ends its side while it is owed an answer is taken to have gone, and what it asked for is let go, as
//! nginx does: the end of a client that has crashed, was closed or has lost its patience looks no different from
//! `shutdown` for writing, and clients that do the latter before they have their answer are rare. Whoever needs it says
//! `Connection: close` instead. Tunnels and TCP ports do pass on the end of one direction.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use adsum_framing::{Guard, Limits as Framing, Next, Place};
use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Socket;
use super::gate::{Gate, Refused, State};
use super::linger::Linger;
use crate::gather::poll_write_gathered;
use crate::patience::Watch;
use crate::settings::Limits;

/// Handed to the parser in place of a request that is refused, so that the answer keeps its place behind earlier ones.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";
/// Header lines that the parser behind the guard takes at most.
const PARSED: usize = 100;
/// Bytes behind an upgrade that has not been answered; further ones are left in the socket.
const BEHIND_UPGRADE: usize = 16 << 10;
/// An HTTP/2 client that never stops sending lets others have their turn after so many reads: a read may bring a thousand
/// frames of next to nothing.
const READS_AT_ONCE: u8 = 8;

#[derive(Debug)]
pub(crate) struct Stream {
    socket: Socket,
    gate: Gate,
    patience: Patience,
    /// Read and not released; looked at again when more has come.
    held: BytesMut,
    /// `held` has something that the guard has not seen.
    unseen: bool,
    /// Released and not taken yet.
    released: BytesMut,
    /// Why the body that is being read has no good end; told when what was released before has been taken.
    broken: Option<&'static str>,
    reading: Watch,
    writing: Watch,
    /// A request that is refused is still to be stood in for.
    stands_in: bool,
    lingered: Option<Linger>,
    /// Reads that brought something, one after the other.
    reads: u8,
    /// 1xx being written.
    interim: BytesMut,
}

#[derive(Clone, Copy, Debug)]
struct Patience {
    head: Duration,
    idle: Duration,
    body: Duration,
    write: Duration,
}

impl Stream {
    /// `first` was read from the socket to see what it speaks. HTTP/2 has no guard.
    pub(crate) fn new(socket: Socket, first: BytesMut, http2: bool, limits: &Limits) -> Stream {
        let framing =
            Framing { head: limits.head, target: limits.target, fields: limits.headers.min(PARSED) };
        let gate = Gate::new((!http2).then_some(framing));
        Stream {
            socket,
            gate,
            patience: Patience {
                head: limits.head_timeout,
                idle: limits.idle_timeout,
                body: limits.body_timeout,
                write: limits.write_timeout,
            },
            unseen: !first.is_empty(),
            held: first,
            released: BytesMut::new(),
            broken: None,
            reading: Watch::default(),
            writing: Watch::default(),
            stands_in: false,
            lingered: None,
            interim: BytesMut::new(),
            reads: 0,
        }
    }

    pub(crate) fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// Reads behind what is held.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut chunk = [0; 4096];
        let mut buf = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buf))?;
        self.held.extend_from_slice(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Has the guard look at what is held.
    fn inspect_held(&mut self) {
        self.unseen = false;
        let mut state = self.gate.lock();
        let Some(guard) = &mut state.guard else {
            self.released = self.held.split();
            return;
        };
        let verdict = guard.inspect(&self.held);
        self.released = self.held.split_to(verdict.released);
        drop(state);
        self.heed(verdict.next);
    }

    /// Reads into the parser's buffer and takes back what is not released.
    fn poll_direct(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        let mut state = self.gate.lock();
        let Some(guard) = &mut state.guard else {
            self.reads += 1;
            return Poll::Ready(Ok(()));
        };
        let fresh = &buf.filled()[before..];
        if fresh.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let verdict = guard.inspect(fresh);
        self.held.extend_from_slice(&fresh[verdict.released..]);
        drop(state);
        buf.set_filled(before + verdict.released);
        self.heed(verdict.next);
        Poll::Ready(Ok(()))
    }

    fn heed(&mut self, next: Next) {
        match next {
            Next::More | Next::Held(_) | Next::Waiting => {}
            Next::Refused(rejection) => {
                self.held = BytesMut::new();
                self.refuse(Refused::Offence(rejection));
                match rejection.place {
                    Place::Body => self.broken = Some(rejection.reason()),
                    Place::Idle | Place::Head | Place::Upgrade | Place::Tunnel => self.stands_in = true,
                }
            }
        }
    }

    fn refuse(&mut self, why: Refused) {
        self.gate.lock().refused = Some(why);
        self.lingered = Some(Linger::refused());
    }

    /// Nothing has come: is it time to give up?
    fn impatience(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let now = Instant::now();
        let since = self.reading.since(now);
        let Some((until, place)) = deadline(&self.gate.lock(), since, self.patience) else {
            return Poll::Pending;
        };
        if self.reading.poll_until(until, now, cx).is_pending() {
            return Poll::Pending;
        }
        if place == Place::Head && self.gate.lock().busy == 0 {
            self.refuse(Refused::TooSlow);
            self.stands_in = true;
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// What is read while nothing may be released: for whoever has been refused, and behind an upgrade that has not been
    /// answered. None when it is neither. That the client has gone is told, so that what it asked for is let go.
    fn poll_aside(&mut self, cx: &mut Context<'_>) -> Option<Poll<io::Result<()>>> {
        let mut state = self.gate.lock();
        if state.refused.is_some() {
            if state.busy == 0 && std::mem::take(&mut self.stands_in) {
                self.released.extend_from_slice(STAND_IN);
                return None;
            }
            let earlier = state.busy > 0 && self.stands_in;
            drop(state);
            // The answer to a refusal goes out whether or not its client has ended its side.
            return Some(if earlier { self.poll_ignored(cx) } else { Poll::Pending });
        }
        if state.guard.as_ref().is_none_or(|guard| guard.place() != Place::Upgrade) {
            return None;
        }
        state.waiting = Some(cx.waker().clone());
        drop(state);
        while self.held.len() < BEHIND_UPGRADE {
            match self.poll_more(cx) {
                Poll::Ready(Ok(0)) => return Some(Poll::Ready(Ok(()))),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Some(Poll::Ready(Err(error))),
                Poll::Pending => break,
            }
        }
        // What comes of it changes what is to be thought of these bytes.
        self.unseen = !self.held.is_empty();
        Some(Poll::Pending)
    }

    /// Reads for nothing, to see the end.
    fn poll_ignored(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.lingered {
            Some(linger) => linger.poll_end(&mut self.socket, cx).map(Ok),
            None => Poll::Pending,
        }
    }
}

/// Until when something has to come.
fn deadline(state: &State, since: Instant, patience: Patience) -> Option<(Instant, Place)> {
    let Some(guard) = &state.guard else {
        return (state.busy == 0).then(|| (state.idle_since + patience.idle, Place::Idle));
    };
    let place = guard.place();
    let until = match place {
        Place::Idle if state.busy > 0 => return None,
        Place::Idle if guard.requests() == 0 => state.idle_since + patience.head,
        Place::Idle => state.idle_since + patience.idle,
        // What comes while an answer is under way has no hurry before that has ended.
        Place::Head if state.busy > 0 => return None,
        Place::Head => since.max(state.idle_since) + patience.head,
        Place::Body => since + patience.body,
        Place::Upgrade | Place::Tunnel => return None,
    };
    Some((until, place))
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.released.is_empty() {
                let length = this.released.len().min(buf.remaining());
                buf.put_slice(&this.released[..length]);
                this.released.advance(length);
                return Poll::Ready(Ok(()));
            }
            if let Some(reason) = this.broken {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, reason)));
            }
            if let Some(aside) = this.poll_aside(cx) {
                return aside;
            }
            if !this.released.is_empty() {
                continue;
            }
            if this.unseen {
                this.inspect_held();
                continue;
            }
            if this.reads >= READS_AT_ONCE {
                this.reads = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if this.held.is_empty() {
                let before = buf.filled().len();
                let read = this.poll_direct(cx, buf)?;
                let came = this.reading_of(read, buf.filled().len() - before);
                match came {
                    Came::Released | Came::End => return Poll::Ready(Ok(())),
                    Came::Held => continue,
                    Came::Nothing => {}
                }
            } else if let Poll::Ready(length) = this.poll_more(cx)? {
                if length == 0 {
                    return Poll::Ready(Ok(()));
                }
                this.inspect_held();
                if !this.released.is_empty() {
                    this.reading.has_come();
                }
                continue;
            }
            ready!(this.impatience(cx))?;
        }
    }
}

/// What a read has brought.
enum Came {
    Released,
    Held,
    End,
    Nothing,
}

impl Stream {
    fn reading_of(&mut self, read: Poll<()>, length: usize) -> Came {
        match read {
            Poll::Pending => {
                self.reads = 0;
                Came::Nothing
            }
            Poll::Ready(()) if length > 0 => {
                self.reading.has_come();
                Came::Released
            }
            Poll::Ready(()) if self.broken.is_some() => Came::Held,
            Poll::Ready(()) if self.held.is_empty() && self.released.is_empty() => Came::End,
            Poll::Ready(()) => {
                // The beginning of a head: its time begins now, however long the client was silent before.
                self.reading.has_come();
                Came::Held
            }
        }
    }

    fn stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(self.writing.poll_for(self.patience.write, cx));
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

    /// Writes what instances said before their answers. Called where the parser's own buffer is empty, so that it comes
    /// between two answers; once begun, before anything else.
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.interim.is_empty() {
            let taken = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.interim))?;
            self.interim.advance(taken);
        }
        Poll::Ready(Ok(()))
    }

    fn take_interim(&mut self) {
        let mut state = self.gate.lock();
        if !state.interim.is_empty() {
            self.interim.extend_from_slice(&std::mem::take(&mut state.interim));
        }
    }

    /// Whether the client may still be sending something that nobody will read.
    fn look_whether_lingers(&mut self) {
        if self.lingered.is_none() {
            let inside = |guard: &Guard| guard.place() == Place::Body;
            let unwanted = self.gate.lock().guard.as_ref().is_some_and(inside);
            self.lingered = unwanted.then(Linger::unwanted);
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let taken = match this.poll_interim(cx)? {
            Poll::Ready(()) => Pin::new(&mut this.socket).poll_write(cx, buf),
            Poll::Pending => Poll::Pending,
        };
        this.watch_write(taken, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let taken = match this.poll_interim(cx)? {
            Poll::Ready(()) => poll_write_gathered(Pin::new(&mut this.socket), cx, bufs),
            Poll::Pending => Poll::Pending,
        };
        this.watch_write(taken, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.take_interim();
        let flushed = match this.poll_interim(cx)? {
            Poll::Ready(()) => Pin::new(&mut this.socket).poll_flush(cx),
            Poll::Pending => Poll::Pending,
        };
        match flushed {
            Poll::Pending => this.stalled(cx).map_ok(|_| ()),
            Poll::Ready(outcome) => Poll::Ready(outcome),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let down = Pin::new(&mut this.socket).poll_shutdown(cx);
        match down {
            Poll::Pending => return this.stalled(cx).map_ok(|_| ()),
            Poll::Ready(outcome) => outcome?,
        }
        this.look_whether_lingers();
        if let Some(linger) = &mut this.lingered {
            ready!(linger.poll(&mut this.socket, cx));
        }
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
