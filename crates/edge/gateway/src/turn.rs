//! Others read before this one writes.
//!
//! Whatever is written wakes whoever has waited for it, and that one mostly runs at once, for this little alone. So those
//! that have something to read at the same moment all have their turn first, and what they write goes out right behind each
//! other: an instance, or a client with many connections, then finds more to do each time that it is woken, and a request
//! costs all of them some tenths less. Where there is nobody else, nothing is waited for.

use std::task::{Context, Poll};

#[derive(Debug, Default)]
pub(crate) struct Turn {
    is_over: bool,
}

impl Turn {
    /// Of a task that has mostly just begun: all that were woken before have been polled already.
    pub(crate) fn over() -> Turn {
        Turn { is_over: true }
    }

    /// Ready the second time, which comes when all that were woken before have been polled.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.is_over, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
