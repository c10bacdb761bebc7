//! Requests out of a read buffer.
//!
//! ```text
//! *2\r\n $3\r\n GET\r\n $1\r\n a\r\n      an array of bulk strings, as clients send it
//! GET "a"\r\n                             inline, as people type it
//! ```
//!
//! Arguments are slices of the buffer. The parser remembers how far it came in a request that is not there as a whole
//! yet, so bytes are looked at once however they arrive, and it keeps nothing that the bytes did not pay for.

use adsum_script::words;
use smallvec::SmallVec;

use crate::number::parse_integer;
use crate::{http, limits};

/// A command with its arguments. Empty for an empty line or an empty array, which Redis passes over in silence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    pub args: SmallVec<[&'a [u8]; 8]>,
}

/// A few requests, each with its length.
pub type Requests<'a> = SmallVec<[(usize, Request<'a>); 16]>;

/// What the bytes are so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// The rest of the request has still to come. Call again with the same bytes and more.
    Incomplete,
    /// A request of `consumed` bytes. Call again with what comes behind them.
    Request { consumed: usize, request: Request<'a> },
    /// Not the protocol. There is no way to find the next request, so the connection has to be closed.
    Error(ProtocolError),
}

/// In Redis' words as far as Redis has words for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("ERR Protocol error: too big inline request")]
    InlineTooLong,
    #[error("ERR Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
    #[error("ERR Protocol error: too big mbulk count string")]
    CountTooLong,
    #[error("ERR Protocol error: invalid multibulk length")]
    Count,
    #[error("ERR Protocol error: too big bulk count string")]
    LengthTooLong,
    #[error("ERR Protocol error: expected '$', got '{}'", char::from(*.0))]
    NoBulk(u8),
    #[error("ERR Protocol error: invalid bulk length")]
    Length,
    #[error(
        "ERR Protocol error: invalid bulk length: {0} is over the limit of {1} bytes (proto-max-bulk-len)"
    )]
    BulkTooLong(i64, usize),
    #[error("ERR Protocol error: expected a line end after {0} bytes of bulk")]
    NoLineEnd(usize),
    #[error("ERR Protocol error: request over the limit of {0} bytes")]
    RequestTooLong(usize),
    /// A browser that was made to speak to this port. It gets no answer.
    #[error("this is HTTP")]
    Http,
}

/// Where each of them begins and ends.
type Arguments = SmallVec<[(usize, usize); 8]>;

/// How far the request at the beginning of the buffer has been read.
#[derive(Debug)]
pub struct Parser {
    bulk_limit: usize,
    /// Everything before has been read.
    at: usize,
    /// There is no line end between `at` and here.
    searched: usize,
    /// Arguments still to come; None before the head of the request has been read.
    missing: Option<usize>,
    /// Bytes of the argument that begins at `at`; None before its head has been read.
    bulk: Option<usize>,
    arguments: Arguments,
    /// What was wrong. It stays wrong.
    failed: Option<ProtocolError>,
    /// The arguments of an inline request without their quotes.
    unquoted: Vec<u8>,
}

impl Default for Parser {
    fn default() -> Parser {
        Parser::new(limits::BULK)
    }
}

/// Of a request that is read at once: arguments, and digits of a number.
const ARGUMENTS: usize = 8;
const MOST_DIGITS: usize = 9;

enum Step {
    Done,
    Wait,
}

type Line = Option<(usize, usize)>;

impl Parser {
    /// `bulk_limit`: bytes of one argument.
    pub fn new(bulk_limit: usize) -> Parser {
        Parser {
            bulk_limit,
            at: 0,
            searched: 0,
            missing: None,
            bulk: None,
            arguments: SmallVec::new(),
            failed: None,
            unquoted: Vec::new(),
        }
    }

    /// Whether [`Parser::parse`] would give a request or an error for the same bytes. What was read for the answer is
    /// not read again.
    pub fn has_request(&mut self, buffer: &[u8]) -> bool {
        match buffer.first() {
            None => false,
            Some(b'*') => !matches!(self.read_array(buffer), Ok(Step::Wait)),
            Some(_) => self.find(buffer, b'\n').is_some() || buffer.len() > limits::LINE,
        }
    }

    /// The requests at the beginning of `buffer` that are there as a whole and are nothing unusual, a few at most, for who
    /// wants to know of several before the first is run. What comes behind them, or instead of them, is for
    /// [`Parser::parse`].
    pub fn parse_ahead<'a>(&self, buffer: &'a [u8], requests: &mut Requests<'a>) {
        requests.clear();
        let mut rest = if self.at == 0 && self.missing.is_none() { buffer } else { &[] };
        while requests.len() < requests.inline_size()
            && let Some((arguments, end)) = self.whole(rest)
        {
            let request = Request { args: arguments.iter().map(|(from, to)| &rest[*from..*to]).collect() };
            if request.is_http() {
                return;
            }
            requests.push((end, request));
            rest = &rest[end..];
        }
    }

    /// Reads the request at the beginning of `buffer`.
    pub fn parse<'a>(&'a mut self, buffer: &'a [u8]) -> Parsed<'a> {
        let result = match buffer.first() {
            None => return Parsed::Incomplete,
            Some(b'*') => self.read_array(buffer),
            Some(_) => return self.parse_inline(buffer),
        };
        match result {
            Ok(Step::Wait) => Parsed::Incomplete,
            Ok(Step::Done) => {
                let args = self.arguments.iter().map(|(from, to)| &buffer[*from..*to]).collect();
                let consumed = self.start_over();
                finish(Request { args }, consumed)
            }
            Err(error) => Parsed::Error(error),
        }
    }

    fn parse_inline<'a>(&'a mut self, buffer: &'a [u8]) -> Parsed<'a> {
        let Some(end) = self.find(buffer, b'\n') else {
            return match buffer.len() > limits::LINE {
                true => Parsed::Error(ProtocolError::InlineTooLong),
                false => Parsed::Incomplete,
            };
        };
        let line = &buffer[..end];
        if http::is_http(line) {
            return Parsed::Error(ProtocolError::Http);
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.unquoted.clear();
        self.unquoted.shrink_to(limits::LINE);
        let Some(ranges) = words::split(line, &mut self.unquoted) else {
            return Parsed::Error(ProtocolError::UnbalancedQuotes);
        };
        self.at = end + 1;
        let consumed = self.start_over();
        let args = ranges.into_iter().map(|range| &self.unquoted[range]).collect();
        finish(Request { args }, consumed)
    }

    fn read_array(&mut self, buffer: &[u8]) -> Result<Step, ProtocolError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.at == 0
            && self.missing.is_none()
            && let Some((arguments, end)) = self.whole(buffer)
        {
            (self.arguments, self.missing) = (arguments, Some(0));
            (self.at, self.searched) = (end, end);
            return Ok(Step::Done);
        }
        self.read_arguments(buffer).inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// The arguments and the end of a request that is there as a whole, of few arguments and with nothing unusual about
    /// it, as nearly all are.
    fn whole(&self, buffer: &[u8]) -> Option<(Arguments, usize)> {
        let (count, mut at) = head(buffer, 0, b'*').filter(|(count, _)| (1..=ARGUMENTS).contains(count))?;
        let mut arguments = Arguments::new();
        for _ in 0..count {
            let (length, from) = head(buffer, at, b'$').filter(|(length, _)| *length <= self.bulk_limit)?;
            let end = from + length;
            if end > limits::REQUEST || buffer.get(end..end + 2)? != b"\r\n" {
                return None;
            }
            arguments.push((from, end));
            at = end + 2;
        }
        Some((arguments, at))
    }

    fn read_arguments(&mut self, buffer: &[u8]) -> Result<Step, ProtocolError> {
        if self.missing.is_none() {
            let Some((from, to)) = self.line(buffer, ProtocolError::CountTooLong)? else {
                return Ok(Step::Wait);
            };
            let count = parse_integer(&buffer[from + 1..to]).ok_or(ProtocolError::Count)?;
            if count > limits::ARGUMENTS as i64 {
                return Err(ProtocolError::Count);
            }
            self.missing = Some(usize::try_from(count).unwrap_or(0));
        }
        while let Some(missing @ 1..) = self.missing {
            if let Step::Wait = self.read_bulk(buffer)? {
                return Ok(Step::Wait);
            }
            self.missing = Some(missing - 1);
        }
        Ok(Step::Done)
    }

    fn read_bulk(&mut self, buffer: &[u8]) -> Result<Step, ProtocolError> {
        let length = match self.bulk {
            Some(length) => length,
            None => {
                let Some(line) = self.line(buffer, ProtocolError::LengthTooLong)? else {
                    return Ok(Step::Wait);
                };
                let length = self.bulk_length(buffer, line)?;
                *self.bulk.insert(length)
            }
        };
        let end = self.at + length;
        if buffer.len() < end + 2 {
            return Ok(Step::Wait);
        }
        if &buffer[end..end + 2] != b"\r\n" {
            return Err(ProtocolError::NoLineEnd(length));
        }
        self.arguments.push((self.at, end));
        self.bulk = None;
        self.at = end + 2;
        self.searched = self.at;
        Ok(Step::Done)
    }

    fn bulk_length(&self, buffer: &[u8], (from, to): (usize, usize)) -> Result<usize, ProtocolError> {
        if buffer[from] != b'$' {
            return Err(ProtocolError::NoBulk(buffer[from]));
        }
        let announced = parse_integer(&buffer[from + 1..to]).ok_or(ProtocolError::Length)?;
        let length = usize::try_from(announced).map_err(|_| ProtocolError::Length)?;
        if length > self.bulk_limit {
            return Err(ProtocolError::BulkTooLong(announced, self.bulk_limit));
        }
        if self.at + length > limits::REQUEST {
            return Err(ProtocolError::RequestTooLong(limits::REQUEST));
        }
        Ok(length)
    }

    /// The line at `at` without its end, which is passed over.
    fn line(&mut self, buffer: &[u8], too_long: ProtocolError) -> Result<Line, ProtocolError> {
        let from = self.at;
        let to = match self.find(buffer, b'\r') {
            Some(to) => to,
            None if buffer.len() - from > limits::LINE => return Err(too_long),
            None => return Ok(None),
        };
        if buffer.len() < to + 2 {
            self.searched = to;
            return Ok(None);
        }
        // An empty line has no first byte to say what it is.
        let to = to.max(from + 1);
        self.at = to + 2;
        self.searched = self.at;
        Ok(Some((from, to)))
    }

    fn find(&mut self, buffer: &[u8], byte: u8) -> Option<usize> {
        let start = self.searched.min(buffer.len());
        let found = buffer[start..].iter().position(|other| *other == byte).map(|offset| start + offset);
        self.searched = found.unwrap_or(buffer.len());
        found
    }

    /// Forgets the request that was read. Its length.
    fn start_over(&mut self) -> usize {
        let consumed = self.at;
        (self.at, self.searched, self.missing, self.bulk) = (0, 0, None, None);
        // A request with a million arguments must not leave its memory with an idle connection.
        match self.arguments.capacity() > 1024 {
            true => self.arguments = SmallVec::new(),
            false => self.arguments.clear(),
        }
        consumed
    }
}

/// The number in a line of this kind at `at`, of a few digits, and where the next line begins.
fn head(buffer: &[u8], at: usize, kind: u8) -> Option<(usize, usize)> {
    let (first, rest) = buffer.get(at..)?.split_first()?;
    let mut number = 0;
    for (digits, byte) in rest.iter().take(MOST_DIGITS + 1).enumerate() {
        match byte {
            b'0'..=b'9' => number = number * 10 + usize::from(byte - b'0'),
            b'\r' => {
                let is_plain = digits == 1 || digits > 1 && rest[0] != b'0';
                let ends = rest.get(digits + 1) == Some(&b'\n');
                return (*first == kind && is_plain && ends).then_some((number, at + 1 + digits + 2));
            }
            _ => return None,
        }
    }
    None
}

fn finish(request: Request<'_>, consumed: usize) -> Parsed<'_> {
    match request.is_http() {
        true => Parsed::Error(ProtocolError::Http),
        false => Parsed::Request { consumed, request },
    }
}

impl Request<'_> {
    /// Redis closes on these names too: they are lines of a HTTP request that a browser was made to send.
    fn is_http(&self) -> bool {
        match self.args.first() {
            Some(name @ [b'p' | b'P', ..]) => name.eq_ignore_ascii_case(b"post"),
            Some(name @ [b'h' | b'H', ..]) => name.eq_ignore_ascii_case(b"host:"),
            Some(_) | None => false,
        }
    }
}

#[cfg(test)]
mod tests;
