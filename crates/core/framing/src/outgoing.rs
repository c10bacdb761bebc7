//! A request on its way to an instance, or an answer on its way to a client: its head, and its body as the head has told it.
//!
//! Names, values, methods and targets are of types that hold neither CR nor LF, so that what is written is one head. How
//! long the body is, is said once, by what is known of the body itself and not by what its fields say.

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderName, header};

use crate::answering::{self, Answering};
use crate::asking::{self, Asking};
use crate::field::is_forbidden_trailer;
use crate::text::{write_field, write_hex};

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// There is none.
    Nothing,
    Length(u64),
    Chunked,
}

/// A body that is not as long as it was said to be. The message never becomes whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongLength;

/// What is to be written next on one connection, and what is to come.
///
/// ```text
///   head: | first line, fields, size of a chunk, or a small piece |  data: | a piece of the body |  tail: | end of a chunk |
///               ^ written up to here
/// ```
#[derive(Debug)]
pub struct Outgoing {
    head: Vec<u8>,
    written: usize,
    data: Bytes,
    tail: &'static [u8],
    body: Body,
    /// Fields that the head has announced for after the body.
    announced: Vec<HeaderName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Length(u64),
    Chunked,
    /// Ends with the connection.
    UntilClose,
    Over,
}

/// A head of this size is kept room for between two messages.
const KEPT: usize = 4 * 1024;
/// A piece of this size is copied behind the head: one write of one part costs less than two.
const SMALL: usize = 1024;

impl Default for Outgoing {
    fn default() -> Self {
        Self {
            head: Vec::new(),
            written: 0,
            data: Bytes::new(),
            tail: b"",
            body: Body::Over,
            announced: Vec::new(),
        }
    }
}

impl Outgoing {
    /// Begins a request. The one before has been written to its end.
    pub fn begin(&mut self, asking: &Asking<'_>, extent: Extent) {
        self.announced.clear();
        self.body = match extent {
            Extent::Nothing | Extent::Length(0) => Body::Over,
            Extent::Length(length) => Body::Length(length),
            Extent::Chunked => {
                self.announced.extend(announced(asking.headers));
                Body::Chunked
            }
        };
        asking::write(&mut self.head, asking, extent);
    }

    /// Begins an answer; or its whole, where none of its kind has a body. The one before has been written to its end, and
    /// what was said meanwhile goes out before it. Returns whether the connection can be used again behind it.
    pub fn answer(&mut self, answering: &Answering<'_>, extent: Extent) -> bool {
        self.announced.clear();
        self.body = match extent {
            _ if !answering.has_body() => Body::Over,
            Extent::Nothing | Extent::Length(0) => Body::Over,
            Extent::Length(length) => Body::Length(length),
            Extent::Chunked if !answering.is_http_11 => Body::UntilClose,
            Extent::Chunked => {
                if answering.takes_trailers {
                    self.announced.extend(announced(answering.headers));
                }
                Body::Chunked
            }
        };
        let keeps = answering.keeps && self.body != Body::UntilClose;
        answering::write(&mut self.head, answering, extent, keeps);
        keeps
    }

    /// A head of 1xx, which is no answer yet. Not within one.
    pub fn say(&mut self, interim: &[u8]) {
        self.head.extend_from_slice(interim);
    }

    /// Whether nothing is left to be written, and nothing to come.
    pub fn is_over(&self) -> bool {
        self.body == Body::Over && self.is_empty()
    }

    /// Whether there is nothing to be written now.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.data.is_empty() && self.tail.is_empty()
    }

    /// Whether the end of what is under way can only be told by closing the connection.
    pub fn ends_by_close(&self) -> bool {
        self.body == Body::UntilClose
    }

    /// Whether something of a body is to come.
    pub fn has_more(&self) -> bool {
        self.body != Body::Over
    }

    /// Whether the next piece of the body can be put in.
    pub fn wants_piece(&self) -> bool {
        self.has_more() && self.data.is_empty() && self.tail.is_empty() && self.head.len() < KEPT
    }

    /// The next piece of the body; `last` if none follows.
    pub fn put(&mut self, data: Bytes, last: bool) -> Result<(), WrongLength> {
        match &mut self.body {
            Body::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(WrongLength)?;
                if *left == 0 {
                    self.body = Body::Over;
                }
                self.lay(data, b"");
                if last { self.end() } else { Ok(()) }
            }
            // An empty chunk would be the end.
            Body::Chunked if data.is_empty() => {
                if last {
                    self.end()
                } else {
                    Ok(())
                }
            }
            Body::Chunked => {
                write_hex(&mut self.head, data.len());
                self.head.extend_from_slice(b"\r\n");
                self.lay(data, if last { b"\r\n0\r\n\r\n" } else { b"\r\n" });
                if last {
                    self.body = Body::Over;
                }
                Ok(())
            }
            Body::UntilClose => {
                self.lay(data, b"");
                if last { self.end() } else { Ok(()) }
            }
            Body::Over if data.is_empty() => Ok(()),
            Body::Over => Err(WrongLength),
        }
    }

    fn lay(&mut self, data: Bytes, tail: &'static [u8]) {
        if data.len() <= SMALL {
            self.head.extend_from_slice(&data);
            self.head.extend_from_slice(tail);
        } else {
            self.data = data;
            self.tail = tail;
        }
    }

    /// The body has ended.
    pub fn end(&mut self) -> Result<(), WrongLength> {
        match self.body {
            Body::Over => Ok(()),
            Body::Length(_) => Err(WrongLength),
            Body::UntilClose => {
                self.body = Body::Over;
                Ok(())
            }
            Body::Chunked => {
                self.head.extend_from_slice(b"0\r\n\r\n");
                self.body = Body::Over;
                Ok(())
            }
        }
    }

    /// The body has ended, with fields behind it: of these, what the head has announced and what may come there.
    pub fn end_with(&mut self, trailers: &HeaderMap) -> Result<(), WrongLength> {
        if self.body != Body::Chunked {
            return self.end();
        }
        self.head.extend_from_slice(b"0\r\n");
        let is_good = |name: &HeaderName| {
            self.announced.contains(name) && !is_forbidden_trailer(name.as_str().as_bytes())
        };
        for (name, value) in trailers.iter().filter(|(name, _)| is_good(name)) {
            write_field(&mut self.head, name, value.as_bytes());
        }
        self.head.extend_from_slice(b"\r\n");
        self.body = Body::Over;
        Ok(())
    }

    /// What is to be written, in this order.
    pub fn parts(&self) -> [&[u8]; 3] {
        [&self.head[self.written..], &self.data, self.tail]
    }

    /// So many bytes of the parts have been written.
    pub fn advance(&mut self, mut bytes: usize) {
        let of_head = bytes.min(self.head.len() - self.written);
        self.written += of_head;
        bytes -= of_head;
        if self.written == self.head.len() {
            self.head.clear();
            self.head.shrink_to(KEPT);
            self.written = 0;
        }
        let of_data = bytes.min(self.data.len());
        self.data.advance(of_data);
        self.tail = &self.tail[bytes - of_data..];
    }
}

fn announced(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let names = headers.get_all(header::TRAILER).iter();
    names
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
}
