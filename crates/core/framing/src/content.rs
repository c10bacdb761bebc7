//! The body of a request or of an answer, cut out of the bytes that come.

use bytes::{Buf as _, Bytes, BytesMut};
use http::HeaderMap;

use crate::chunk;
use crate::field::Field;
use crate::fields::Fields;
use crate::flaw::Flaw;
use crate::lines::{Line, Lines};
use crate::offence::Offence;

/// What may come behind the chunks of a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Bytes of the trailers.
    pub(crate) trailers: usize,
    /// How many of them.
    pub(crate) fields: usize,
    /// One that belongs into the head is refused, instead of dropped.
    pub(crate) is_strict: bool,
}

/// Where in a body the connection is.
#[derive(Debug)]
pub struct Content {
    state: State,
    /// Bytes of chunk extensions so far.
    extensions: usize,
    rules: Rules,
}

#[derive(Debug)]
enum State {
    Length(u64),
    ChunkSize(Lines),
    Chunk(u64),
    ChunkEnd,
    Trailers(Box<Fields>),
    UntilClose,
    Over,
    Failed(Flaw),
}

/// What there is of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Never empty.
    Data(Bytes),
    Trailers(HeaderMap),
    /// More has to come first.
    Nothing,
    /// That was all.
    End,
}

impl Default for Content {
    fn default() -> Self {
        Self::length(0)
    }
}

impl Content {
    pub(crate) fn length(length: u64) -> Self {
        Self::new(if length > 0 { State::Length(length) } else { State::Over })
    }

    pub(crate) fn chunked(rules: Rules) -> Self {
        Self { rules, ..Self::new(State::ChunkSize(Lines::default())) }
    }

    pub(crate) fn until_close() -> Self {
        Self::new(State::UntilClose)
    }

    fn new(state: State) -> Self {
        Self { state, extensions: 0, rules: Rules { trailers: 0, fields: 0, is_strict: true } }
    }

    /// Whether its end has been read.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// How much is to come, where that is known.
    pub fn left(&self) -> Option<u64> {
        match self.state {
            State::Length(left) => Some(left),
            State::Over => Some(0),
            State::ChunkSize(_) | State::Chunk(_) | State::ChunkEnd | State::Trailers(_) => None,
            State::UntilClose | State::Failed(_) => None,
        }
    }

    pub(crate) fn ends_with_connection(&self) -> bool {
        matches!(self.state, State::UntilClose)
    }

    /// Takes what there is off the front of `bytes`. What is left of them is to be given again, with more behind it.
    pub fn next(&mut self, bytes: &mut BytesMut) -> Result<Piece, Flaw> {
        loop {
            match self.step(bytes) {
                Ok(Step::Piece(data @ Piece::Data(_))) => {
                    self.look_for_end(bytes);
                    return Ok(data);
                }
                Ok(Step::Piece(piece)) => return Ok(piece),
                Ok(Step::On) => {}
                Err(flaw) => {
                    self.state = State::Failed(flaw);
                    return Err(flaw);
                }
            }
        }
    }

    /// The connection was closed, and everything that came over it has been given to `next`.
    pub fn closed(&mut self) -> Result<(), Flaw> {
        match self.state {
            State::UntilClose | State::Over => {
                self.state = State::Over;
                Ok(())
            }
            State::Failed(flaw) => Err(flaw),
            State::Length(_)
            | State::ChunkSize(_)
            | State::Chunk(_)
            | State::ChunkEnd
            | State::Trailers(_) => Err(Flaw::Early),
        }
    }

    /// Goes past what stands behind a chunk, if it is there already, so that the end is known together with the last of the
    /// data.
    fn look_for_end(&mut self, bytes: &mut BytesMut) {
        while matches!(self.state, State::ChunkEnd | State::ChunkSize(_))
            || matches!(self.state, State::Trailers(_)) && bytes.starts_with(b"\r\n")
        {
            match self.step(bytes) {
                Ok(Step::On) => {}
                Ok(Step::Piece(_)) => return,
                Err(flaw) => self.state = State::Failed(flaw),
            }
        }
    }

    fn step(&mut self, bytes: &mut BytesMut) -> Result<Step, Flaw> {
        match &mut self.state {
            State::Over => Ok(Step::Piece(Piece::End)),
            State::Failed(flaw) => Err(*flaw),
            _ if bytes.is_empty() => Ok(Step::Piece(Piece::Nothing)),
            State::UntilClose => Ok(Step::Piece(Piece::Data(bytes.split().freeze()))),
            State::Length(left) => {
                let data = take(left, bytes);
                if *left == 0 {
                    self.state = State::Over;
                }
                Ok(Step::Piece(Piece::Data(data)))
            }
            State::Chunk(left) => {
                let data = take(left, bytes);
                if *left == 0 {
                    self.state = State::ChunkEnd;
                }
                Ok(Step::Piece(Piece::Data(data)))
            }
            State::ChunkEnd => Ok(match chunk::end(bytes)? {
                Some(length) => self.go(State::ChunkSize(Lines::default()), length, bytes),
                None => Step::Piece(Piece::Nothing),
            }),
            State::ChunkSize(lines) => match lines.next(bytes, chunk::LINE)? {
                Line::Whole(line) => {
                    let (length, size) = (line.len() + 2, chunk::size(line, &mut self.extensions)?);
                    let next = if size > 0 { State::Chunk(size) } else { State::Trailers(Box::default()) };
                    Ok(self.go(next, length, bytes))
                }
                Line::Partial => Ok(Step::Piece(Piece::Nothing)),
                Line::TooLong => Err(Offence::ChunkLineTooLong.into()),
                Line::Control(before) => Err(chunk::bad_letter_in_size(before).into()),
            },
            State::Trailers(fields) => {
                let Rules { trailers: limit, fields: most, is_strict } = self.rules;
                let heed = |field: &Field<'_>| match is_strict && field.is_forbidden_trailer() {
                    true => Err(Offence::ForbiddenTrailer),
                    false => Ok(()),
                };
                let Some(length) = fields.read(bytes, limit, most, heed)? else {
                    return Ok(Step::Piece(Piece::Nothing));
                };
                let trailers = fields.trailers(&bytes.split_to(length).freeze())?;
                self.state = State::Over;
                Ok(if trailers.is_empty() { Step::On } else { Step::Piece(Piece::Trailers(trailers)) })
            }
        }
    }

    /// `length` bytes have been read for this.
    fn go(&mut self, state: State, length: usize, bytes: &mut BytesMut) -> Step {
        bytes.advance(length);
        self.state = state;
        Step::On
    }
}

enum Step {
    Piece(Piece),
    On,
}

/// As much of the data as there is, of which so many bytes are left.
fn take(left: &mut u64, bytes: &mut BytesMut) -> Bytes {
    let length = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    *left -= length as u64;
    bytes.split_to(length).freeze()
}
