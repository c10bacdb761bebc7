//! The guard of one connection.

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
    requests: u64,
}

impl Guard {
    pub fn new(limits: Limits) -> Self {
        Self { limits, requests: 0 }
    }

    /// Looks at `bytes`: all that has come and has not been released, so what was held the last time comes first.
    pub fn inspect(&mut self, bytes: &[u8]) -> Verdict {
        let _ = self.limits;
        Verdict { released: bytes.len(), next: Next::More }
    }

    /// How many requests were released: their heads are known to the parser.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Where the connection is, after what was looked at last.
    pub fn place(&self) -> Place {
        Place::Idle
    }

    /// To be called once for each released request that was answered with anything but an accepted upgrade.
    pub fn answered(&mut self) {}

    /// To be called when an upgrade was accepted (101, or 2xx to CONNECT): from now on everything is let through.
    pub fn upgraded(&mut self) {}
}
