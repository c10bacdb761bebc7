//! The guard of one connection.

use crate::chunk::{self, Trailers};
use crate::head::{Body, Head, Message};
use crate::lines::{Line, Lines};
use crate::offence::Offence;

/// What a client may ask for at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a head, or of the trailers of a body, from the first letter to the empty line.
    pub head: usize,
    /// Bytes of the request target.
    pub target: usize,
    /// Fields of a head, or of the trailers of a body.
    pub fields: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: 32 * 1024, target: 8 * 1024, fields: 100 }
    }
}

/// Why, and where, the connection's requests end. Nothing is released after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    pub offence: Offence,
    /// `Head`: a request that the parser has not seen yet. `Body`: the one whose head was released last.
    pub place: Place,
}

impl Rejection {
    /// 400, 414, 417, 431, 501 or 505.
    pub fn status(&self) -> u16 {
        self.offence.status()
    }

    pub fn reason(&self) -> &'static str {
        self.offence.reason()
    }
}

/// Where in the stream of requests a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Between two requests: a connection may end here.
    Idle,
    /// A head has begun.
    Head,
    /// A head was released, its body has not ended.
    Body,
    /// A request asked for an upgrade, or is a CONNECT, and has not been answered.
    Upgrade,
    /// Whatever comes is let through.
    Tunnel,
}

/// What becomes of the bytes that were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// So many of them, from the first on, may go to the parser.
    pub released: usize,
    /// What is to be done about the others.
    pub next: Next,
}

/// What is to be done after what was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing is held: read on.
    More,
    /// The others are the beginning of something that is not complete: keep them, and read on. The place is `Head` or
    /// `Body`.
    Held(Place),
    /// The others are held until the request that asked for an upgrade has been answered. There may be none.
    Waiting,
    /// The others are refused, with all that comes after them.
    Refused(Rejection),
}

/// Looks at what a client sends on one HTTP/1 connection.
#[derive(Debug)]
pub struct Guard {
    limits: Limits,
    state: State,
    /// Bytes were held after what was looked at last.
    holds: bool,
    requests: u64,
    answered: u64,
    /// The request that is being read asked for another protocol.
    leaves_http: bool,
    /// Bytes of chunk extensions in this body.
    extensions: usize,
}

/// What the next byte belongs to.
#[derive(Debug)]
enum State {
    /// A request that may be preceded by an empty line.
    Begin,
    Head(Head),
    /// The data of a body of known length.
    Length(u64),
    ChunkSize(Lines),
    Chunk(u64),
    ChunkEnd,
    Trailers(Trailers),
    Waiting,
    Tunnel,
    Refused(Rejection),
}

/// What one step came to.
enum Step {
    /// So many bytes are done with.
    Released(usize),
    /// The rest is not complete.
    Held,
    Waiting,
}

impl Guard {
    pub fn new(limits: Limits) -> Self {
        let (requests, answered, extensions) = (0, 0, 0);
        Self { limits, state: State::Begin, holds: false, requests, answered, leaves_http: false, extensions }
    }

    /// Looks at `bytes`: all that has come and has not been released, so what was held the last time comes first.
    pub fn inspect(&mut self, bytes: &[u8]) -> Verdict {
        let mut released = 0;
        let next = loop {
            let rest = &bytes[released..];
            if let State::Refused(rejection) = self.state {
                break Next::Refused(rejection);
            }
            match self.step(rest) {
                Ok(Step::Waiting) => break Next::Waiting,
                _ if rest.is_empty() => break Next::More,
                Ok(Step::Released(bytes)) => released += bytes,
                Ok(Step::Held) => break Next::Held(self.part()),
                Err(offence) => self.state = State::Refused(Rejection { offence, place: self.part() }),
            }
        };
        self.holds = released < bytes.len();
        Verdict { released, next }
    }

    /// How many requests were released: their heads are known to the parser.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Where the connection is, after what was looked at last.
    pub fn place(&self) -> Place {
        match self.state {
            State::Begin | State::Head(_) if !self.holds => Place::Idle,
            State::Waiting => Place::Upgrade,
            State::Tunnel => Place::Tunnel,
            _ => self.part(),
        }
    }

    /// To be called once for each released request that was answered with anything but an accepted upgrade.
    pub fn answered(&mut self) {
        self.answered += 1;
        if matches!(self.state, State::Waiting) && self.answered >= self.requests {
            self.state = State::Begin;
        }
    }

    /// To be called when the last of the released requests does not go on as one that asks for another protocol: what
    /// comes behind it is the next request, whatever the answer.
    pub fn declined(&mut self) {
        self.leaves_http = false;
        if matches!(self.state, State::Waiting) {
            self.state = State::Begin;
        }
    }

    /// To be called when an upgrade was accepted (101, or 2xx to CONNECT): from now on everything is let through.
    pub fn upgraded(&mut self) {
        self.state = State::Tunnel;
    }

    /// Whether the next byte belongs to a head or to a body.
    fn part(&self) -> Place {
        match &self.state {
            State::Begin | State::Head(_) => Place::Head,
            State::Refused(rejection) => rejection.place,
            _ => Place::Body,
        }
    }

    /// Does what can be done next with `bytes`, which are empty only when all were released.
    fn step(&mut self, bytes: &[u8]) -> Result<Step, Offence> {
        match &mut self.state {
            State::Begin => Ok(self.begin(bytes)),
            State::Head(head) => match head.read(bytes, &self.limits)? {
                Some(message) => Ok(self.message(message)),
                None => Ok(Step::Held),
            },
            State::Length(left) => Ok(match taken(left, bytes) {
                released if *left == 0 => self.end(released),
                released => Step::Released(released),
            }),
            State::Chunk(left) => Ok(match taken(left, bytes) {
                released if *left == 0 => self.go(State::ChunkEnd, released),
                released => Step::Released(released),
            }),
            State::ChunkSize(lines) => match lines.next(bytes, chunk::LINE)? {
                Line::Whole(line) => {
                    let (released, size) = (line.len() + 2, chunk::size(line, &mut self.extensions)?);
                    self.state =
                        if size > 0 { State::Chunk(size) } else { State::Trailers(Trailers::default()) };
                    Ok(Step::Released(released))
                }
                Line::Partial => Ok(Step::Held),
                Line::TooLong => Err(Offence::ChunkLineTooLong),
                Line::Control(before) => Err(chunk::bad_letter_in_size(before)),
            },
            State::ChunkEnd => Ok(match chunk::end(bytes)? {
                Some(released) => self.go(State::ChunkSize(Lines::default()), released),
                None => Step::Held,
            }),
            State::Trailers(trailers) => Ok(match trailers.read(bytes, &self.limits)? {
                Some(released) => self.end(released),
                None => Step::Held,
            }),
            State::Waiting => Ok(Step::Waiting),
            State::Tunnel => Ok(Step::Released(bytes.len())),
            State::Refused(rejection) => Err(rejection.offence),
        }
    }

    fn go(&mut self, state: State, released: usize) -> Step {
        self.state = state;
        Step::Released(released)
    }

    /// One empty line may stand before a request: some clients send one after a body (RFC 9112, 2.2).
    fn begin(&mut self, bytes: &[u8]) -> Step {
        match bytes {
            [] | b"\r" => Step::Held,
            [b'\r', b'\n', ..] => self.go(State::Head(Head::default()), 2),
            _ => self.go(State::Head(Head::default()), 0),
        }
    }

    /// A head is complete.
    fn message(&mut self, message: Message) -> Step {
        self.requests += 1;
        self.leaves_http = message.leaves_http;
        self.extensions = 0;
        match message.body {
            Body::Length(0) => self.end(message.head),
            Body::Length(length) => self.go(State::Length(length), message.head),
            Body::Chunked => self.go(State::ChunkSize(Lines::default()), message.head),
        }
    }

    /// A request is complete. What comes after one that asked for another protocol depends on the answer.
    fn end(&mut self, released: usize) -> Step {
        let waits = std::mem::take(&mut self.leaves_http) && self.answered < self.requests;
        self.go(if waits { State::Waiting } else { State::Begin }, released)
    }
}

/// How many of these bytes are data, of which so many are left.
fn taken(left: &mut u64, bytes: &[u8]) -> usize {
    let taken = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    *left -= taken as u64;
    taken
}
