//! What a request's head says, line by line as it arrives.

use std::ops::Range;

use crate::connection::Options;
use crate::field::{Field, Kind, content_length, transfer_encoding};
use crate::fields::Fields;
use crate::letters::{is_token, trimmed};
use crate::lines::Line;
use crate::offence::Offence;
use crate::request::Limits;
use crate::target;

/// Bytes of a method: the longest registered one has 18.
const METHOD: usize = 32;

/// What a head has told so far. Offsets count from its first byte.
#[derive(Debug, Default)]
pub(crate) struct Head {
    request_line: Option<RequestLine>,
    has_host: bool,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
    expects_continue: bool,
    takes_trailers: bool,
    options: Options,
}

#[derive(Debug)]
pub(crate) struct RequestLine {
    pub(crate) is_http_11: bool,
    /// The length of the method, with which it begins.
    pub(crate) method: usize,
    pub(crate) target: Range<usize>,
    connect: bool,
    authority: Option<Range<usize>>,
}

/// What follows a head.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Length(u64),
    Chunked,
}

/// A head that has arrived.
#[derive(Debug)]
pub(crate) struct Message {
    /// Bytes of the head, with the empty line.
    pub(crate) length: usize,
    pub(crate) line: RequestLine,
    pub(crate) body: Body,
    pub(crate) keeps: bool,
    pub(crate) expects_continue: bool,
    pub(crate) takes_trailers: bool,
    /// What comes after this request may be of another protocol.
    pub(crate) leaves_http: bool,
}

impl Head {
    /// Reads on in `bytes`, which begin with the head's first one. Returns the message when the head is complete.
    pub(crate) fn read(
        &mut self,
        fields: &mut Fields,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Option<Message>, Offence> {
        if self.request_line.is_none() {
            begins_with_a_method(bytes)?;
            let limit = limits.head.min(limits.target + METHOD + b"  HTTP/1.1\r\n".len());
            match fields.line(bytes, limit)? {
                Line::Whole(line) => self.request_line = Some(RequestLine::read(line, limits.target)?),
                Line::Partial => return Ok(None),
                Line::TooLong => return Err(Offence::TargetTooLong),
                Line::Control(before) if before.contains(&b' ') => return Err(Offence::InvalidTarget),
                Line::Control(_) => return Err(Offence::InvalidMethod),
            }
        }
        let read = fields.read(bytes, limits.head, limits.fields, |field| self.field(field, bytes))?;
        read.map(|length| self.message(length)).transpose()
    }

    fn field(&mut self, field: &Field<'_>, bytes: &[u8]) -> Result<(), Offence> {
        match field.kind()? {
            Kind::Other => {}
            Kind::Host => return self.host(field.value, bytes),
            Kind::ContentLength => return self.length(field.value),
            Kind::TransferEncoding => return self.encoding(field.value),
            Kind::Expect => match field.value.eq_ignore_ascii_case(b"100-continue") {
                true => self.expects_continue = true,
                false => return Err(Offence::UnknownExpectation),
            },
            Kind::Upgrade => self.upgrade = true,
            Kind::Connection => {
                self.options.heed(field.value);
            }
            Kind::Te => {
                let mut codings = field.value.split(|byte| *byte == b',').map(trimmed);
                self.takes_trailers |= codings.any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
            }
        }
        Ok(())
    }

    fn host(&mut self, host: &[u8], bytes: &[u8]) -> Result<(), Offence> {
        if std::mem::replace(&mut self.has_host, true) {
            return Err(Offence::SeveralHosts);
        }
        target::host(host)?;
        let authority = self.request_line.as_ref().and_then(|line| line.authority.clone());
        match authority.is_none_or(|range| target::same_host(&bytes[range], host)) {
            true => Ok(()),
            false => Err(Offence::HostContradictsTarget),
        }
    }

    fn length(&mut self, value: &[u8]) -> Result<(), Offence> {
        if self.chunked {
            return Err(Offence::LengthAndEncoding);
        }
        match self.length.replace(content_length(value)?) {
            Some(_) => Err(Offence::SeveralLengths),
            None => Ok(()),
        }
    }

    fn encoding(&mut self, value: &[u8]) -> Result<(), Offence> {
        if !self.is_http_11() {
            return Err(Offence::EncodingInHttp10);
        }
        if self.length.is_some() {
            return Err(Offence::LengthAndEncoding);
        }
        if std::mem::replace(&mut self.chunked, true) {
            return Err(Offence::SeveralEncodings);
        }
        transfer_encoding(value)
    }

    fn is_http_11(&self) -> bool {
        self.request_line.as_ref().is_some_and(|line| line.is_http_11)
    }

    /// What the whole head says.
    fn message(&mut self, length: usize) -> Result<Message, Offence> {
        let line = self.request_line.take().ok_or(Offence::NotHttp)?;
        if line.is_http_11 && !self.has_host {
            return Err(Offence::MissingHost);
        }
        if line.connect && (self.chunked || self.length.is_some_and(|length| length > 0)) {
            return Err(Offence::ContentInConnect);
        }
        Ok(Message {
            length,
            body: if self.chunked { Body::Chunked } else { Body::Length(self.length.unwrap_or(0)) },
            keeps: self.options.keeps(line.is_http_11),
            expects_continue: self.expects_continue && line.is_http_11,
            takes_trailers: self.takes_trailers,
            leaves_http: line.connect || (self.upgrade && line.is_http_11),
            line,
        })
    }
}

/// Refuses at the first byte what will never be a request, instead of waiting for the end of its line.
fn begins_with_a_method(bytes: &[u8]) -> Result<(), Offence> {
    match bytes.first() {
        None => Ok(()),
        Some(byte) if is_token(*byte) => Ok(()),
        Some(0x16) => Err(Offence::TlsOnPlainPort),
        Some(b' ' | b'\t' | b'\r') => Err(Offence::LeadingWhitespace),
        Some(b'\n') => Err(Offence::BareLineFeed),
        Some(_) => Err(Offence::NotHttp),
    }
}

impl RequestLine {
    /// Reads `METHOD SP TARGET SP VERSION`, with nothing else between.
    fn read(line: &[u8], longest: usize) -> Result<Self, Offence> {
        let end = line.iter().position(|byte| !is_token(*byte)).ok_or(Offence::NotHttp)?;
        let (method, rest) = line.split_at(end);
        if !rest.starts_with(b" ") || end > METHOD {
            return Err(Offence::InvalidMethod);
        }
        let (target, is_http_11) = version(&rest[1..])?;
        if target.len() > longest {
            return Err(Offence::TargetTooLong);
        }
        let authority = target::target(method, target)?.map(|authority| place_of(authority, line));
        let target = place_of(target, line);
        Ok(Self { is_http_11, method: end, target, connect: method == b"CONNECT", authority })
    }
}

/// Where a part of a line lies in it. The request line is the first one, so that it is the place in the head too.
fn place_of(part: &[u8], line: &[u8]) -> Range<usize> {
    let begin = part.as_ptr().addr() - line.as_ptr().addr();
    begin..begin + part.len()
}

/// Parts the version from the target before it, and tells whether it is 1.1.
fn version(rest: &[u8]) -> Result<(&[u8], bool), Offence> {
    if let Some(target) = rest.strip_suffix(b" HTTP/1.1") {
        return Ok((target, true));
    }
    if let Some(target) = rest.strip_suffix(b" HTTP/1.0") {
        return Ok((target, false));
    }
    match rest.rsplit(|byte| *byte == b' ').next() {
        Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor])
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(Offence::UnsupportedVersion)
        }
        _ => Err(Offence::InvalidVersion),
    }
}
