//! Lines that end with CR LF, however the bytes arrive.

use crate::letters::position;
use crate::offence::Offence;

/// How far the lines of bytes that are held have been read.
///
/// ```text
///   GET / HTTP/1.1\r\nHost: a.exa
///                     ^line      ^searched
/// ```
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Where the line begins that has not been read.
    pub(crate) line: usize,
    /// Up to here there is no end of it.
    searched: usize,
}

/// What there is to read.
pub(crate) enum Line<'a> {
    /// A whole line, without its end.
    Whole(&'a [u8]),
    /// Its end has not arrived.
    Partial,
    /// Its end is not where it has to be at last.
    TooLong,
}

impl Lines {
    /// Reads the next line of `bytes`, the same ones as in earlier calls with more at their end. The line has to end
    /// before the byte `limit`.
    pub(crate) fn next<'a>(&mut self, bytes: &'a [u8], limit: usize) -> Result<Line<'a>, Offence> {
        let end = bytes.len().min(limit);
        let Some(found) = position(b'\n', bytes.get(self.searched..end).unwrap_or_default()) else {
            self.searched = end.max(self.searched);
            return Ok(if bytes.len() >= limit { Line::TooLong } else { Line::Partial });
        };
        let feed = self.searched + found;
        let line = &bytes[self.line..feed];
        (self.line, self.searched) = (feed + 1, feed + 1);
        line.strip_suffix(b"\r").map(Line::Whole).ok_or(Offence::BareLineFeed)
    }
}
