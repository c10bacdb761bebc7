//! Lines that end with CR LF, however the bytes arrive.

use crate::letters::first_control;
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
    /// Up to here it has neither an end nor a control character.
    searched: usize,
}

/// What there is to read.
pub(crate) enum Line<'a> {
    /// A whole line, without its end, and without any control character but tabulators.
    Whole(&'a [u8]),
    /// Its end has not arrived.
    Partial,
    /// Its end is not where it has to be at last.
    TooLong,
    /// After this a control character follows.
    Control(&'a [u8]),
}

impl Lines {
    /// Reads the next line of `bytes`, the same ones as in earlier calls with more at their end. The line has to end
    /// before the byte `limit`.
    pub(crate) fn next<'a>(&mut self, bytes: &'a [u8], limit: usize) -> Result<Line<'a>, Offence> {
        let seen = &bytes[..bytes.len().min(limit)];
        let found = first_control(seen, self.searched);
        let line = &seen[self.line..found];
        self.searched = found;
        match seen[found..] {
            [b'\r', b'\n', ..] => {
                (self.line, self.searched) = (found + 2, found + 2);
                Ok(Line::Whole(line))
            }
            [] | [b'\r'] if bytes.len() >= limit => Ok(Line::TooLong),
            [] | [b'\r'] => Ok(Line::Partial),
            [b'\r', ..] => Err(Offence::BareCarriageReturn),
            [b'\n', ..] => Err(Offence::BareLineFeed),
            [_, ..] => Ok(Line::Control(line)),
        }
    }
}
