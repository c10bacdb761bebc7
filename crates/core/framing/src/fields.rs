//! The fields of a head, or of trailers: first their places, line by line as they arrive, then the fields.
//!
//! Names and values are not copied: they share the bytes that came.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::field::{Field, bad_letter, is_forbidden_trailer};
use crate::letters::trimmed;
use crate::lines::{Line, Lines};
use crate::offence::Offence;

/// Names that are remembered, and how long each may be.
const REMEMBERED: usize = 16;
const LONGEST_REMEMBERED: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct Fields {
    lines: Lines,
    places: Vec<Place>,
    /// By their places: one that sends several heads mostly sends the same names in the same order.
    known: Vec<Known>,
}

/// A name as it was written, and as it was understood.
#[derive(Debug)]
struct Known {
    written: Box<[u8]>,
    name: HeaderName,
}

/// Where a field is. Offsets count from the first byte of the head.
#[derive(Debug)]
struct Place {
    name: Range<usize>,
    value: Range<usize>,
}

impl Fields {
    /// Ready for others. What was allocated is kept.
    pub(crate) fn clear(&mut self) {
        self.lines = Lines::default();
        self.places.clear();
    }

    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }

    /// The next line, which is no field: the first one of a head.
    pub(crate) fn line<'a>(&mut self, bytes: &'a [u8], limit: usize) -> Result<Line<'a>, Offence> {
        self.lines.next(bytes, limit)
    }

    /// Reads on in `bytes`, the same ones as before with more at their end, and has each field heeded as soon as it is there.
    /// Returns their length up to the end of the empty line, when it has come. The limits are of bytes and of fields.
    pub(crate) fn read(
        &mut self,
        bytes: &[u8],
        limit: usize,
        most: usize,
        mut heed: impl FnMut(&Field<'_>) -> Result<(), Offence>,
    ) -> Result<Option<usize>, Offence> {
        loop {
            let begin = self.lines.line;
            match self.lines.next(bytes, limit)? {
                Line::Whole([]) => return Ok(Some(self.lines.line)),
                Line::Whole(line) => {
                    let known = self.known.get(self.places.len()).and_then(|known| known.field(line));
                    let field = known.map_or_else(|| Field::read(line), Ok)?;
                    if self.places.len() == most {
                        return Err(Offence::TooManyFields);
                    }
                    heed(&field)?;
                    self.places.push(Place::of(&field, line, begin));
                }
                Line::Partial => return Ok(None),
                Line::TooLong => return Err(Offence::HeadTooLarge),
                Line::Control(before) => return Err(bad_letter(before)),
            }
        }
    }

    /// One of them. `bytes` are those that were read.
    pub(crate) fn field(&mut self, at: usize, bytes: &Bytes) -> Result<(HeaderName, HeaderValue), Offence> {
        let place = &self.places[at];
        let value = HeaderValue::from_maybe_shared(bytes.slice(place.value.clone()));
        let value = value.map_err(|_| Offence::InvalidFieldValue)?;
        let written = &bytes[place.name.clone()];
        match self.known.get(at) {
            Some(known) if *known.written == *written => Ok((known.name.clone(), value)),
            Some(_) | None => Ok((self.learn(at, written)?, value)),
        }
    }

    fn learn(&mut self, at: usize, written: &[u8]) -> Result<HeaderName, Offence> {
        let name = HeaderName::from_bytes(written).map_err(|_| Offence::InvalidFieldName)?;
        if at < REMEMBERED && written.len() <= LONGEST_REMEMBERED && at <= self.known.len() {
            self.known.truncate(at);
            self.known.push(Known { written: written.into(), name: name.clone() });
        }
        Ok(name)
    }

    /// All of them, but for those that may not come after a body: whoever sends them has said nothing by that.
    pub(crate) fn trailers(&mut self, bytes: &Bytes) -> Result<HeaderMap, Offence> {
        let mut trailers = HeaderMap::with_capacity(self.count());
        for at in 0..self.count() {
            let (name, value) = self.field(at, bytes)?;
            if !is_forbidden_trailer(name.as_str().as_bytes()) {
                trailers.append(name, value);
            }
        }
        Ok(trailers)
    }
}

impl Known {
    /// The field of this line, if it has this name, which need not be looked at again then.
    fn field<'a>(&self, line: &'a [u8]) -> Option<Field<'a>> {
        let (name, rest) = line.split_at_checked(self.written.len())?;
        let [b':', value @ ..] = rest else { return None };
        (*name == *self.written).then(|| Field { name, value: trimmed(value) })
    }
}

impl Place {
    /// `line` begins at `begin`, and `field` was read of it.
    fn of(field: &Field<'_>, line: &[u8], begin: usize) -> Place {
        let at = |part: &[u8]| begin + (part.as_ptr().addr() - line.as_ptr().addr());
        let range = |part: &[u8]| at(part)..at(part) + part.len();
        Place { name: range(field.name), value: range(field.value) }
    }
}
