//! What the two ends of a client's connection know of each other: the side that reads bytes, and the side that answers
//! requests. One task polls both.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use adsum_framing::Offence;
use http::{HeaderMap, StatusCode};

#[derive(Clone, Debug)]
pub(crate) struct Gate(Rc<State>);

#[derive(Debug)]
struct State {
    /// Requests that came and whose answers have not ended.
    busy: Cell<u32>,
    /// When the last of them ended; at first when the connection began.
    idle_since: Cell<Instant>,
    refused: Cell<Option<Refused>>,
    /// Over HTTP/1: heads of 1xx that are to be written before the answer that is under way.
    interim: RefCell<Vec<u8>>,
}

/// Bytes of 1xx that wait to be written. A client that does not take them misses further ones.
const INTERIM: usize = 16 << 10;

/// Why no further request is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refused {
    Offence(Offence),
    /// A head was not complete in time, or a body fell silent.
    TooSlow,
}

impl Gate {
    pub(super) fn new() -> Gate {
        Gate(Rc::new(State {
            busy: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            refused: Cell::new(None),
            interim: RefCell::default(),
        }))
    }

    /// A request has come.
    pub(crate) fn begin(&self) {
        self.0.busy.set(self.0.busy.get() + 1);
    }

    /// Its answer has ended.
    pub(crate) fn end(&self, now: Instant) {
        self.0.busy.set(self.0.busy.get() - 1);
        self.0.idle_since.set(now);
    }

    /// Since when no answer is owed, if none is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.0.busy.get() == 0).then(|| self.0.idle_since.get())
    }

    /// Over HTTP/1: an instance has said something before its answer (102, 103), and it may go on.
    pub(crate) fn say_interim(&self, status: StatusCode, headers: &HeaderMap) {
        let mut out = self.0.interim.borrow_mut();
        // A client that waits for this word waits for all.
        if out.len() > INTERIM && status != StatusCode::CONTINUE {
            return;
        }
        let reason = status.canonical_reason().unwrap_or("Interim");
        out.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).as_bytes());
        for (name, value) in headers {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Has what was said before the answer written.
    pub(super) fn hear_interim(&self, say: impl FnOnce(&[u8])) {
        let mut interim = self.0.interim.borrow_mut();
        if !interim.is_empty() {
            say(&interim);
            *interim = Vec::new();
        }
    }

    /// Nothing more is read of this client.
    pub(super) fn refuse(&self, why: Refused) {
        self.0.refused.set(Some(why));
    }

    /// Why the body of the request that is under way has failed, if the client is to blame.
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.0.refused.get()
    }
}
