//! What is wrong with an instance's answer, or with a body. What is wrong with the head of a request is an [`Offence`].

use std::fmt;

use crate::offence::Offence;

/// Why an answer, or the rest of it, is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Its first line is no status line of HTTP/1.0 or 1.1.
    StatusLine,
    /// The same as a client may do wrong: lines, fields, lengths, chunks.
    Framing(Offence),
    /// The connection was closed before its end.
    Early,
}

impl From<Offence> for Flaw {
    fn from(offence: Offence) -> Self {
        Self::Framing(offence)
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StatusLine => "the answer does not begin with a status line of HTTP/1",
            Self::Framing(offence) => offence.reason(),
            Self::Early => "the connection was closed before the end of the message",
        })
    }
}

impl std::error::Error for Flaw {}
