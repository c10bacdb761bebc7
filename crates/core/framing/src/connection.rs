//! What the `Connection` fields of a head say of the connection that it came over.

use crate::letters::trimmed;

#[derive(Debug, Default)]
pub(crate) struct Options {
    close: bool,
    keep_alive: bool,
}

impl Options {
    /// One more field of the head. Whether it says anything that is not heeded hereby.
    pub(crate) fn heed(&mut self, value: &[u8]) -> bool {
        // Mostly just this.
        if value == b"keep-alive" {
            self.keep_alive = true;
            return false;
        }
        let mut says_more = false;
        for option in value.split(|byte| *byte == b',').map(trimmed) {
            let (close, keep_alive) =
                (option.eq_ignore_ascii_case(b"close"), option.eq_ignore_ascii_case(b"keep-alive"));
            self.close |= close;
            self.keep_alive |= keep_alive;
            says_more |= !close && !keep_alive;
        }
        says_more
    }

    /// Whether it can be used again afterwards (RFC 9112, 9.3).
    pub(crate) fn keeps(&self, is_http_11: bool) -> bool {
        !self.close && (is_http_11 || self.keep_alive)
    }
}
