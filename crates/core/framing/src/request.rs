//! The heads of a client's requests, as they arrive, one after the other.

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, Method, Uri, Version, header};

use crate::content::{Content, Rules};
use crate::fields::Fields;
use crate::head::{Body, Head, Message, RequestLine};
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

impl Limits {
    /// What is too much, or not known, in a head that somebody else has read: one of HTTP/2. Its cookies, which come in
    /// pieces there, are one field.
    pub fn excess(&self, uri: &Uri, headers: &HeaderMap) -> Option<Offence> {
        let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
        let cookies = || headers.get_all(header::COOKIE).iter().count();
        let mut expected = headers.get_all(header::EXPECT).iter();
        if target > self.target {
            Some(Offence::TargetTooLong)
        } else if headers.len() > self.fields && headers.len() - cookies().saturating_sub(1) > self.fields {
            Some(Offence::TooManyFields)
        } else if expected.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
            Some(Offence::UnknownExpectation)
        } else {
            None
        }
    }
}

/// Bytes of the trailers of one body, if the limit of heads is not smaller.
const TRAILERS: usize = 8 * 1024;
/// Fields that whoever passes a request on may put in: there is room for them from the beginning.
const ROOM: usize = 2;
/// A map with room for more than this is not kept.
const KEPT_ROOM: usize = 64;

/// Reads the heads of the requests that come over one connection, one after the other.
#[derive(Debug)]
pub struct RequestReader {
    limits: Limits,
    /// The next byte belongs to a head: an empty line before it is none any more.
    has_begun: bool,
    head: Head,
    fields: Fields,
    /// Empty, with room for the next head.
    spare: HeaderMap,
    /// Nothing is read any more.
    refused: Option<Offence>,
}

/// The head of a request, which can be understood in one way only.
#[derive(Debug)]
pub struct RequestHead {
    pub method: Method,
    pub uri: Uri,
    /// 1.0 or 1.1.
    pub version: Version,
    pub headers: HeaderMap,
    pub content: Content,
    /// The client wants to use the connection again.
    pub keeps: bool,
    /// Its body waits for `100 Continue`.
    pub expects_continue: bool,
    /// Fields behind the answer's body are welcome.
    pub takes_trailers: bool,
    /// What comes behind it may be of another protocol: the answer tells.
    pub offers_upgrade: bool,
}

impl RequestReader {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            has_begun: false,
            head: Head::default(),
            fields: Fields::default(),
            spare: HeaderMap::new(),
            refused: None,
        }
    }

    /// Takes a map that nobody needs any more, for the next head.
    pub fn recycle(&mut self, mut map: HeaderMap) {
        if map.capacity() <= KEPT_ROOM {
            map.clear();
            self.spare = map;
        }
    }

    /// Takes a head off the front of `bytes`, if all of it has come. To be called with the same bytes and more behind them
    /// until then; and not for the next one before the body behind this one has been taken. A refusal is the end.
    pub fn read(&mut self, bytes: &mut BytesMut) -> Result<Option<RequestHead>, Offence> {
        if let Some(offence) = self.refused {
            return Err(offence);
        }
        if !self.has_begun && !self.begin(bytes) {
            return Ok(None);
        }
        let read = self.head.read(&mut self.fields, bytes, &self.limits);
        let whole = read.and_then(|message| message.map(|message| self.take(message, bytes)).transpose());
        self.refused = whole.as_ref().err().copied();
        whole
    }

    /// One empty line may stand before a request: some clients send one after a body (RFC 9112, 2.2).
    fn begin(&mut self, bytes: &mut BytesMut) -> bool {
        match bytes[..] {
            [] | [b'\r'] => return false,
            [b'\r', b'\n', ..] => bytes.advance(2),
            _ => {}
        }
        self.has_begun = true;
        true
    }

    fn take(&mut self, message: Message, bytes: &mut BytesMut) -> Result<RequestHead, Offence> {
        let bytes = bytes.split_to(message.length).freeze();
        let mut headers = std::mem::take(&mut self.spare);
        headers.reserve(self.fields.count() + ROOM);
        for at in 0..self.fields.count() {
            let (name, value) = self.fields.field(at, &bytes)?;
            headers.append(name, value);
        }
        self.fields.clear();
        self.head = Head::default();
        self.has_begun = false;
        let (method, uri) = subject(&message.line, &bytes)?;
        let content = match message.body {
            Body::Length(length) => Content::length(length),
            Body::Chunked => Content::chunked(self.rules()),
        };
        Ok(RequestHead {
            method,
            uri,
            version: if message.line.is_http_11 { Version::HTTP_11 } else { Version::HTTP_10 },
            headers,
            keeps: message.keeps,
            expects_continue: message.expects_continue && !content.is_over(),
            takes_trailers: message.takes_trailers,
            offers_upgrade: message.leaves_http,
            content,
        })
    }

    fn rules(&self) -> Rules {
        Rules { trailers: self.limits.head.min(TRAILERS), fields: self.limits.fields, is_strict: true }
    }
}

/// What is asked for. Both have been looked at already; neither is copied but for a method that is not a usual one.
fn subject(line: &RequestLine, bytes: &Bytes) -> Result<(Method, Uri), Offence> {
    let method = Method::from_bytes(&bytes[..line.method]).map_err(|_| Offence::InvalidMethod)?;
    let uri = Uri::from_maybe_shared(bytes.slice(line.target.clone())).map_err(|_| Offence::InvalidTarget)?;
    Ok((method, uri))
}
