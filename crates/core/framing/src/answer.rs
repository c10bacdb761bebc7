//! The head of an instance's answer, as it arrives, and what it says of the body and of the connection.
//!
//! Stricter than RFC 9112 asks for where two readers could differ: lines end with CR LF, no field goes on in the next line,
//! and no coding but `chunked` is understood.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::connection::Options;
use crate::content::{Content, Rules};
use crate::field::{content_length, transfer_encoding};
use crate::fields::Fields;
use crate::flaw::Flaw;
use crate::lines::Line;
use crate::offence::Offence;

/// Bytes of a head at most.
const HEAD: usize = 64 * 1024;
/// Fields of a head at most.
const FIELDS: usize = 100;
/// Behind a body there may be as much again.
const RULES: Rules = Rules { trailers: HEAD, fields: FIELDS, is_strict: false };
/// Fields that whoever passes an answer on adds to it: there is room for them from the beginning.
const ROOM: usize = 6;
/// A map with room for more than this is not kept.
const KEPT_ROOM: usize = 64;

/// Reads the heads of the answers that come over one connection, one after the other.
#[derive(Debug, Default)]
pub struct AnswerReader {
    status_line: Option<StatusLine>,
    fields: Fields,
    /// Empty, with room for the next head.
    spare: HeaderMap,
}

#[derive(Debug)]
struct StatusLine {
    is_http_11: bool,
    status: StatusCode,
    /// Where its words begin; none when they are the usual ones.
    reason: Option<usize>,
    length: usize,
}

/// The head of an answer.
#[derive(Debug)]
pub struct AnswerHead {
    pub status: StatusCode,
    /// Without a `Connection` that says no more than `keeps` does.
    pub headers: HeaderMap,
    /// The words behind the status, if they are not the usual ones.
    pub reason: Option<Bytes>,
    pub content: Content,
    /// The connection can be used again when the body has been read.
    pub keeps: bool,
}

impl AnswerReader {
    /// Takes a map that nobody needs any more, for the next head.
    pub fn recycle(&mut self, mut map: HeaderMap) {
        if map.capacity() <= KEPT_ROOM {
            map.clear();
            self.spare = map;
        }
    }

    /// Takes a head off the front of `bytes`, if all of it has come. To be called with the same bytes and more behind them
    /// until then. `method` is that of the request.
    pub fn read(&mut self, bytes: &mut BytesMut, method: &Method) -> Result<Option<AnswerHead>, Flaw> {
        if self.status_line.is_none() {
            // At the first byte, instead of waiting for the end of a line.
            if !may_begin(bytes) {
                return Err(Flaw::StatusLine);
            }
            match self.fields.line(bytes, HEAD)? {
                Line::Whole(line) => self.status_line = Some(StatusLine::read(line)?),
                Line::Partial => return Ok(None),
                Line::Control(_) => return Err(Flaw::StatusLine),
                Line::TooLong => return Err(Offence::HeadTooLarge.into()),
            }
        }
        let read = self.fields.read(bytes, HEAD, FIELDS, |_| Ok(()))?;
        let Some(length) = read else { return Ok(None) };
        let head = bytes.split_to(length).freeze();
        let status_line = self.status_line.take().ok_or(Flaw::StatusLine)?;
        let spare = std::mem::take(&mut self.spare);
        let whole = status_line.with(&mut self.fields, &head, method, spare);
        self.fields.clear();
        whole.map(Some)
    }
}

/// Whether a status line may begin so.
fn may_begin(bytes: &[u8]) -> bool {
    const BEGIN: &[u8] = b"HTTP/1.";
    let length = bytes.len().min(BEGIN.len());
    bytes[..length] == BEGIN[..length]
}

impl StatusLine {
    /// Reads `HTTP/1.1 200 OK`. The words may be missing, and the blank before them.
    fn read(line: &[u8]) -> Result<StatusLine, Flaw> {
        let (is_http_11, rest) = match line {
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ (b'0' | b'1'), b' ', rest @ ..] => {
                (*minor == b'1', rest)
            }
            _ => return Err(Flaw::StatusLine),
        };
        let (digits, reason) = rest.split_at_checked(3).ok_or(Flaw::StatusLine)?;
        let status = StatusCode::from_bytes(digits).map_err(|_| Flaw::StatusLine)?;
        let reason = match reason {
            [] => &[],
            [b' ', reason @ ..] => reason,
            _ => return Err(Flaw::StatusLine),
        };
        let is_usual = status.canonical_reason().is_some_and(|usual| usual.as_bytes() == reason);
        let reason = (!is_usual).then_some(line.len() - reason.len());
        Ok(StatusLine { is_http_11, status, reason, length: line.len() })
    }

    /// `headers` are empty.
    fn with(
        self,
        fields: &mut Fields,
        head: &Bytes,
        method: &Method,
        mut headers: HeaderMap,
    ) -> Result<AnswerHead, Flaw> {
        headers.reserve(fields.count() + ROOM);
        let mut said = Said::default();
        for at in 0..fields.count() {
            let (name, value) = fields.field(at, head)?;
            if said.heed(&name, &value)? {
                headers.append(name, value);
            }
        }
        let (content, is_clear) = said.content(&self, method)?;
        if said.chunked {
            // The chunks say how long it is (RFC 9112, 6.3).
            headers.remove(header::CONTENT_LENGTH);
        }
        Ok(AnswerHead {
            status: self.status,
            headers,
            reason: self.reason.map(|begin| head.slice(begin..self.length)),
            keeps: is_clear && said.options.keeps(self.is_http_11) && !content.ends_with_connection(),
            content,
        })
    }
}

/// What the fields say of the body and of the connection.
#[derive(Debug, Default)]
struct Said {
    length: Option<u64>,
    chunked: bool,
    options: Options,
}

impl Said {
    /// False for a field that says nothing that is not known then: what another one has said, or how long the connection
    /// is there, which is nobody else's affair.
    fn heed(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<bool, Offence> {
        if *name == header::CONTENT_LENGTH {
            let length = content_length(value.as_bytes())?;
            return match self.length.replace(length) {
                Some(other) if other != length => Err(Offence::SeveralLengths),
                Some(_) => Ok(false),
                None => Ok(true),
            };
        }
        if *name == header::TRANSFER_ENCODING {
            transfer_encoding(value.as_bytes())?;
            if std::mem::replace(&mut self.chunked, true) {
                return Err(Offence::SeveralEncodings);
            }
        } else if *name == header::CONNECTION {
            return Ok(self.options.heed(value.as_bytes()));
        }
        Ok(true)
    }

    /// How long the body is (RFC 9112, 6.3), and whether nobody could read that otherwise.
    fn content(&self, line: &StatusLine, method: &Method) -> Result<(Content, bool), Offence> {
        if self.chunked && !line.is_http_11 {
            return Err(Offence::EncodingInHttp10);
        }
        let never_has = line.status.is_informational() || line.status == StatusCode::NO_CONTENT;
        let has_none = never_has || line.status == StatusCode::NOT_MODIFIED || method == Method::HEAD;
        let has_length = self.length.is_some_and(|length| length > 0);
        // A body that must not be there, and was announced all the same, may come behind the answer. The length of an
        // answer to HEAD, and of one that has not changed, is that of another answer, and announces nothing.
        let announces = has_none && self.chunked || never_has && has_length;
        let is_twofold = self.chunked && self.length.is_some();
        let content = match self.length {
            _ if has_none => Content::length(0),
            _ if self.chunked => Content::chunked(RULES),
            Some(length) => Content::length(length),
            None => Content::until_close(),
        };
        Ok((content, !(announces || is_twofold)))
    }
}
