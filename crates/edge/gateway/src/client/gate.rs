//! What the two ends of a client's connection know of each other: the side that reads bytes, and the side that answers
//! requests.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use adsum_framing::{Guard, Limits, Place, Rejection};
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;

/// Shared by a connection's stream and its service, which are polled by one task: the lock is never waited for.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Mutex<State>>);

#[derive(Debug)]
pub(super) struct State {
    /// None on HTTP/2, whose frames need none.
    pub(super) guard: Option<Guard>,
    /// Requests that came and whose answers have not ended.
    pub(super) busy: u32,
    /// When the last of them ended; at first when the connection began.
    pub(super) idle_since: Instant,
    pub(super) refused: Option<Refused>,
    /// The stream waits for what comes of an upgrade.
    pub(super) waiting: Option<Waker>,
    answered: u64,
    /// Heads of 1xx that are to be written before the answer that is under way.
    pub(super) interim: Vec<u8>,
}

/// Bytes of 1xx that wait to be written. A client that does not take them misses further ones.
const INTERIM: usize = 16 << 10;

/// Why no further request is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refused {
    Offence(Rejection),
    /// A head was not complete in time, or a body fell silent.
    TooSlow,
}

impl Gate {
    pub(super) fn new(limits: Option<Limits>) -> Gate {
        Gate(Arc::new(Mutex::new(State {
            guard: limits.map(Guard::new),
            busy: 0,
            idle_since: Instant::now(),
            refused: None,
            waiting: None,
            answered: 0,
            interim: Vec::new(),
        })))
    }

    pub(super) fn lock(&self) -> parking_lot::MutexGuard<'_, State> {
        self.0.lock()
    }

    /// A request has come. What is returned is why it is not one: a stand-in for one that was refused.
    pub(crate) fn begin(&self) -> Option<Refused> {
        let mut state = self.lock();
        state.busy += 1;
        let asked = state.answered + u64::from(state.busy);
        let released = state.guard.as_ref().map_or(u64::MAX, Guard::requests);
        state.refused.filter(|_| asked > released)
    }

    /// Its answer has ended, other than by an upgrade.
    pub(crate) fn end(&self, now: Instant) {
        let mut state = self.lock();
        state.busy -= 1;
        state.answered += 1;
        state.idle_since = now;
        if let Some(guard) = &mut state.guard {
            guard.answered();
        }
        state.wake();
    }

    /// It asked for an upgrade, but does not go on as such.
    pub(crate) fn decline(&self) {
        let mut state = self.lock();
        if let Some(guard) = &mut state.guard {
            guard.declined();
        }
        state.wake();
    }

    /// It was answered by an upgrade: whatever the client sends from now on is no HTTP.
    pub(crate) fn upgrade(&self) {
        let mut state = self.lock();
        if let Some(guard) = &mut state.guard {
            guard.upgraded();
        }
        state.wake();
    }

    /// Whether an answer is owed.
    pub(super) fn is_busy(&self) -> bool {
        self.lock().busy > 0
    }

    /// Whether the next request has begun to come.
    pub(super) fn is_within_head(&self) -> bool {
        self.lock().guard.as_ref().is_some_and(|guard| guard.place() == Place::Head)
    }

    /// An instance has said something before its answer (102, 103). It is not passed on over HTTP/2, where hyper has no way
    /// to write it.
    pub(crate) fn say_interim(&self, status: StatusCode, headers: &HeaderMap) {
        let mut state = self.lock();
        if state.guard.is_none() || state.interim.len() > INTERIM {
            return;
        }
        let out = &mut state.interim;
        let reason = status.canonical_reason().unwrap_or("Interim");
        out.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).as_bytes());
        let hops = [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::UPGRADE];
        for (name, value) in headers.iter().filter(|(name, _)| !hops.contains(name)) {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The answer itself follows: nothing that was said before it may be written from now on, since that would be in its
    /// midst.
    pub(crate) fn answer(&self) {
        self.lock().interim.clear();
    }

    /// Why the body of the request that is under way has failed, if the client is to blame.
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.lock().refused
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }
}
