//! What waits to be sent to one client.
//!
//! ```text
//! bytes   +OK\r\n+OK\r\n:7\r\n$3\r\nabc\r\n
//!         `----------'`----'`-----------'
//! parts     until 12     16           27
//! revision        40     41           43
//!
//! durable 41: the first 16 bytes may leave
//! ```

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use adsum_model::Revision;
use adsum_resp::{Outbox, Wake};
use parking_lot::Mutex;

/// Filled under the lock of the server, emptied by the connection.
pub(super) struct Mailbox {
    pending: Mutex<Pending>,
    /// How many bytes wait. Written with the lock, read without it.
    length: AtomicUsize,
    /// Bytes of pushed messages that may wait.
    limit: usize,
}

#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    parts: VecDeque<Part>,
    /// While a reply is being written elsewhere: what was pushed since, which comes behind it.
    behind: Option<Vec<(Revision, Vec<u8>)>>,
    /// Of what waits behind.
    held: usize,
    /// Of what was pushed and waits in `bytes`.
    pushed: usize,
    /// Why nothing more is taken or sent.
    closed: Option<&'static str>,
    /// Whether somebody else has pushed, unblocked or closed since the connection has looked for it.
    woken: bool,
    /// The connection, while it sleeps.
    sleeper: Option<Waker>,
}

/// The bytes up to `until` may leave when `revision` is durable. Both ascend.
struct Part {
    until: usize,
    revision: Revision,
    /// How many of its bytes were pushed, where the others are replies.
    pushed: usize,
}

/// A buffer that has grown over this is not kept by a client that waits.
const KEPT: usize = 1024;

impl Mailbox {
    pub(super) fn new(limit: usize) -> Mailbox {
        Mailbox { pending: Mutex::default(), length: AtomicUsize::new(0), limit }
    }

    /// Comes when somebody else has pushed, unblocked or closed since the last time.
    pub(super) fn poll_woken(&self, cx: &Context<'_>) -> Poll<()> {
        let pending = &mut *self.pending.lock();
        if std::mem::take(&mut pending.woken) {
            return Poll::Ready(());
        }
        if !pending.sleeper.as_ref().is_some_and(|sleeper| sleeper.will_wake(cx.waker())) {
            pending.sleeper = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    pub(super) fn closed(&self) -> Option<&'static str> {
        self.pending.lock().closed
    }

    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.length.load(Ordering::Acquire)
    }

    /// Whether any wait. What stands behind a reply that is not there yet does not count.
    pub(super) fn has_bytes(&self) -> bool {
        self.length.load(Ordering::Acquire) != 0
    }

    /// Does something with what waits.
    fn with<T>(&self, body: impl FnOnce(&mut Pending) -> T) -> T {
        let pending = &mut *self.pending.lock();
        let done = body(pending);
        self.length.store(pending.bytes.len(), Ordering::Release);
        done
    }

    /// The reply is there, and behind it what has waited for it.
    pub(super) fn release(&self, revision: Revision, reply: &[u8]) {
        self.with(|pending| {
            let behind = pending.behind.take().unwrap_or_default();
            pending.held = 0;
            pending.add(revision, reply, 0);
            behind.into_iter().for_each(|(revision, bytes)| pending.add(revision, &bytes, bytes.len()));
        });
    }

    /// Whether there is nothing, neither to be sent nor behind a reply.
    pub(super) fn is_empty(&self) -> bool {
        let pending = self.pending.lock();
        pending.bytes.is_empty() && pending.held == 0
    }

    /// Whether anything of it may leave.
    pub(super) fn may_send(&self, durable: Revision) -> bool {
        self.pending.lock().parts.front().is_some_and(|part| part.revision <= durable)
    }

    /// Moves what may leave into `out`, which is empty. Whether there was anything.
    pub(super) fn take(&self, durable: Revision, out: &mut Vec<u8>) -> bool {
        self.with(|pending| pending.take(durable, out))
    }

    /// Gives back the memory that a client does not need while it waits.
    pub(super) fn shrink(&self) {
        let pending = &mut *self.pending.lock();
        if pending.bytes.is_empty() && pending.bytes.capacity() > KEPT {
            pending.bytes = Vec::new();
        }
        if pending.parts.is_empty() && pending.parts.capacity() > 8 {
            pending.parts = VecDeque::new();
        }
    }
}

impl Outbox for Mailbox {
    fn push(&self, revision: Revision, bytes: &[u8], wake: Wake) {
        let sleeper = self.with(|pending| {
            match wake {
                Wake::No => pending.push(revision, bytes, 0),
                Wake::Push | Wake::Unblocked if pending.pushed + pending.held + bytes.len() > self.limit => {
                    pending.close("it does not take its messages: over the limit of its output buffer");
                }
                Wake::Push | Wake::Unblocked => pending.push(revision, bytes, bytes.len()),
                Wake::Close(reason) => pending.close(reason),
            }
            pending.woken |= wake != Wake::No;
            if wake == Wake::No { None } else { pending.sleeper.take() }
        });
        sleeper.into_iter().for_each(Waker::wake);
    }

    fn hold(&self) {
        self.pending.lock().behind.get_or_insert_default();
    }

    fn is_open(&self) -> bool {
        self.pending.lock().closed.is_none()
    }
}

impl Pending {
    fn push(&mut self, revision: Revision, bytes: &[u8], pushed: usize) {
        match &mut self.behind {
            Some(behind) if self.closed.is_none() => {
                self.held += bytes.len();
                behind.push((revision, bytes.to_vec()));
            }
            Some(_) | None => self.add(revision, bytes, pushed),
        }
    }

    /// `pushed`: how many of the bytes were.
    fn add(&mut self, revision: Revision, bytes: &[u8], pushed: usize) {
        if self.closed.is_some() || bytes.is_empty() {
            return;
        }
        self.bytes.extend_from_slice(bytes);
        self.pushed += pushed;
        let until = self.bytes.len();
        match self.parts.back_mut() {
            Some(last) if last.revision >= revision => {
                last.until = until;
                last.pushed += pushed;
            }
            _ => self.parts.push_back(Part { until, revision, pushed }),
        }
    }

    /// See [`Mailbox::take`].
    fn take(&mut self, durable: Revision, out: &mut Vec<u8>) -> bool {
        let free = self.parts.partition_point(|part| part.revision <= durable);
        let Some(last) = free.checked_sub(1) else { return false };
        let until = self.parts[last].until;
        self.pushed -= self.parts.iter().take(free).map(|part| part.pushed).sum::<usize>();
        if free == self.parts.len() {
            self.parts.clear();
            std::mem::swap(&mut self.bytes, out);
            return true;
        }
        self.parts.drain(..free);
        self.parts.iter_mut().for_each(|part| part.until -= until);
        out.extend(self.bytes.drain(..until));
        true
    }

    fn close(&mut self, reason: &'static str) {
        self.closed.get_or_insert(reason);
        self.bytes = Vec::new();
        self.parts = VecDeque::new();
        self.behind = None;
        (self.held, self.pushed) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mailbox: &Mailbox, durable: u64, expected: Option<&[u8]>) {
        let mut out = Vec::new();
        let taken = mailbox.take(Revision(durable), &mut out);
        assert_eq!(taken.then_some(out.as_slice()), expected);
    }

    #[test]
    fn nothing_leaves_early_and_nothing_overtakes() {
        let mailbox = Mailbox::new(100);
        mailbox.push(Revision(5), b"a", Wake::No);
        mailbox.push(Revision(6), b"b", Wake::No);
        mailbox.push(Revision(0), b"c", Wake::No);
        mailbox.push(Revision(8), b"d", Wake::Push);
        check(&mailbox, 4, None);
        check(&mailbox, 5, Some(b"a"));
        check(&mailbox, 5, None);
        check(&mailbox, 7, Some(b"bc"));
        check(&mailbox, 9, Some(b"d"));
        check(&mailbox, 9, None);
    }

    #[test]
    fn a_reply_that_is_late_comes_before_what_was_pushed_meanwhile() {
        let mailbox = Mailbox::new(100);
        mailbox.push(Revision(5), b"a", Wake::No);
        mailbox.hold();
        mailbox.push(Revision(6), b"c", Wake::Push);
        check(&mailbox, 9, Some(b"a"));
        check(&mailbox, 9, None);
        assert!(!mailbox.is_empty());
        mailbox.release(Revision(5), b"b");
        check(&mailbox, 5, Some(b"b"));
        check(&mailbox, 6, Some(b"c"));
        assert!(mailbox.is_empty());
        mailbox.hold();
        mailbox.push(Revision(6), &[0; 101], Wake::Push);
        assert!(!mailbox.is_open());
    }

    #[test]
    fn pushes_beyond_the_limit_close_and_replies_do_not() {
        let mailbox = Mailbox::new(4);
        mailbox.push(Revision(1), b"reply", Wake::No);
        mailbox.push(Revision(1), b"push", Wake::Push);
        assert!(mailbox.is_open());
        check(&mailbox, 1, Some(b"replypush"));
        mailbox.push(Revision(1), b"push", Wake::Push);
        mailbox.push(Revision(2), b"reply", Wake::No);
        check(&mailbox, 1, Some(b"push"));
        mailbox.push(Revision(2), b"two", Wake::Push);
        assert!(mailbox.is_open());
        mailbox.push(Revision(3), b"2", Wake::Push);
        check(&mailbox, 2, Some(b"replytwo"));
        mailbox.push(Revision(3), b"two", Wake::Push);
        assert!(mailbox.is_open());
        mailbox.push(Revision(3), b"1", Wake::Push);
        assert!(!mailbox.is_open() && mailbox.is_empty());
        mailbox.push(Revision(0), b"reply", Wake::No);
        check(&mailbox, 1, None);
    }
}
