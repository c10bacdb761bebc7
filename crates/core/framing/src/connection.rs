//! What the `Connection` fields of a head say of the connection that it came over.

use crate::letters::trimmed;

#[derive(Debug, Default)]
pub(crate) struct Options {
    close: bool,
    keep_alive: bool,
}

impl Options {
    /// One more field of the head.
    pub(crate) fn heed(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(trimmed) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// Whether it can be used again afterwards (RFC 9112, 9.3).
    pub(crate) fn keeps(&self, is_http_11: bool) -> bool {
        !self.close && (is_http_11 || self.keep_alive)
    }
}
