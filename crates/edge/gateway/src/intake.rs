//! Bytes that were read from a connection and are not understood yet.

use std::future::Future as _;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes that there is room for at most, for messages that fill it.
const MOST_ROOM: usize = 64 << 10;
/// With less room than this, more is made.
const LEAST_ROOM: usize = 2 << 10;

#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) bytes: BytesMut,
    /// Room that is made when something is read: at first, and now.
    usual: usize,
    room: usize,
    /// What `bytes` has had at most since it rested: it shows a part of that only, and keeps all of it.
    most: usize,
}

impl Intake {
    /// `bytes` were read already.
    pub(crate) fn new(bytes: BytesMut, usual: usize) -> Intake {
        Intake { bytes, usual, room: usual, most: 0 }
    }

    /// Reads what there is. 0 is the end.
    pub(crate) fn poll_fill(
        &mut self,
        socket: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room();
        let room = self.bytes.capacity() - self.bytes.len();
        let read = ready!(pin!(socket.read_buf(&mut self.bytes)).poll(cx))?;
        if read == room {
            self.room = (self.room * 2).min(MOST_ROOM);
        }
        Poll::Ready(Ok(read))
    }

    /// So many bytes are still to come, or more.
    pub(crate) fn expect(&mut self, bytes: u64) {
        let bytes = usize::try_from(bytes).unwrap_or(MOST_ROOM);
        self.room = self.room.max(bytes.min(MOST_ROOM));
    }

    /// What is read comes to the same place as what was read before, if nobody has any of that: mostly so, and the processor
    /// still has it at hand.
    fn make_room(&mut self) {
        if self.bytes.is_empty() && !self.bytes.try_reclaim(self.room) && self.bytes.capacity() < LEAST_ROOM {
            // Nothing of it is worth copying, as `reserve` would.
            self.bytes = BytesMut::with_capacity(self.room);
        }
        if self.bytes.capacity() - self.bytes.len() < LEAST_ROOM {
            self.bytes.reserve(self.room);
        }
        self.most = self.most.max(self.bytes.capacity());
    }

    /// There is nothing to do for now: what was needed for a long message is given back.
    pub(crate) fn rest(&mut self) {
        if !self.bytes.is_empty() {
            return;
        }
        if self.room > self.usual || self.most > 2 * self.usual {
            self.bytes = BytesMut::new();
        }
        (self.room, self.most) = (self.usual, 0);
    }
}
