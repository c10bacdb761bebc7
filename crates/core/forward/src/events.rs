//! Where an event ends in `text/event-stream`.
//!
//! Lines end with CR LF, LF or CR; an empty line ends an event
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>). A client that sees the
//! stream end there has lost nothing, and asks again.

use crate::Boundaries;

/// Follows one stream.
#[derive(Clone, Copy, Debug)]
pub struct EventScanner {
    line_is_empty: bool,
    after_cr: bool,
    at_boundary: bool,
}

impl Default for EventScanner {
    fn default() -> EventScanner {
        EventScanner { line_is_empty: true, after_cr: false, at_boundary: true }
    }
}

impl EventScanner {
    /// Whether all that was fed so far ends with a whole event.
    pub fn is_at_boundary(&self) -> bool {
        self.at_boundary
    }

    pub fn feed(&mut self, piece: &[u8]) -> Boundaries {
        let mut boundaries = Boundaries::default();
        for (at, byte) in piece.iter().enumerate() {
            self.take(*byte);
            if self.at_boundary {
                boundaries.add(at + 1);
            }
        }
        boundaries
    }

    fn take(&mut self, byte: u8) {
        let second_half = byte == b'\n' && self.after_cr;
        self.after_cr = byte == b'\r';
        if second_half {
            return;
        }
        let ends_line = matches!(byte, b'\r' | b'\n');
        self.at_boundary = ends_line && self.line_is_empty;
        self.line_is_empty = ends_line;
    }
}
