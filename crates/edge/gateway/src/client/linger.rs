//! The end of a connection whose client is still sending: closed at once, what comes would be answered by a reset that
//! destroys the last answer. So the client is told that nothing more comes, and is read from for a while, for nothing.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};

use super::Socket;
use crate::patience::Watch;

/// How much is read, and for how long.
#[derive(Debug)]
pub(super) struct Linger {
    rest: usize,
    time: Duration,
    since: Watch,
}

/// Others have their turn after so many reads.
const READS_AT_ONCE: u8 = 16;

impl Linger {
    /// Its bytes were not understood, or are a request that nobody takes: it is waited for no longer than an answer needs
    /// to get there.
    pub(super) fn refused() -> Linger {
        Linger { rest: 256 << 10, time: Duration::from_secs(1), since: Watch::default() }
    }

    /// Its body is not wanted: many clients read no answer before they have sent all of it.
    pub(super) fn unwanted() -> Linger {
        Linger { rest: 64 << 20, time: Duration::from_secs(5), since: Watch::default() }
    }

    /// Ready when the client has closed its side, or enough was read, or the time is over.
    pub(super) fn poll(&mut self, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<()> {
        match self.poll_read(socket, cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => self.since.poll_for(self.time, cx),
        }
    }

    fn poll_read(&mut self, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<()> {
        let mut chunk = [0; 16 << 10];
        for _ in 0..READS_AT_ONCE {
            if self.rest == 0 {
                return Poll::Ready(());
            }
            let mut buf = ReadBuf::new(&mut chunk);
            match ready!(Pin::new(&mut *socket).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {
                    self.rest = self.rest.saturating_sub(buf.filled().len())
                }
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
