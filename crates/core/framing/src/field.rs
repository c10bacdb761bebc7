//! One field: a line of a head or of trailers.

use crate::letters::{decimal, is_blank, is_token, trimmed};
use crate::offence::Offence;

/// The fields that decide how long a request is, whom it is for, what comes after it, and how it may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Host,
    ContentLength,
    TransferEncoding,
    Expect,
    Upgrade,
    Connection,
    Te,
    Other,
}

/// A field, with the blanks around its value taken away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl<'a> Field<'a> {
    /// Reads a line that is not empty and has no control characters.
    pub(crate) fn read(line: &'a [u8]) -> Result<Self, Offence> {
        let end = line.iter().position(|byte| !is_token(*byte)).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        match rest {
            [b':', value @ ..] if end > 0 => Ok(Self { name, value: trimmed(value) }),
            _ => Err(bad_name(line)),
        }
    }

    /// What the field is about. Length and first letter tell most of them apart before a letter is compared.
    pub(crate) fn kind(&self) -> Result<Kind, Offence> {
        let is = |name: &str| self.name.eq_ignore_ascii_case(name.as_bytes());
        let first = self.name.first().map_or(0, u8::to_ascii_lowercase);
        Ok(match (self.name.len(), first) {
            (2, b't') if is("te") => Kind::Te,
            (4, b'h') if is("host") => Kind::Host,
            (6, b'e') if is("expect") => Kind::Expect,
            (7, b'u') if is("upgrade") => Kind::Upgrade,
            (10, b'c') if is("connection") => Kind::Connection,
            (14, b'c') if is("content-length") => Kind::ContentLength,
            (17, b't') if is("transfer-encoding") => Kind::TransferEncoding,
            // Whoever hands fields on as variables of an environment reads these as the ones above.
            (14, b'c') if is("content_length") => return Err(Offence::InvalidFieldName),
            (17, b't') if is("transfer_encoding") => return Err(Offence::InvalidFieldName),
            _ => Kind::Other,
        })
    }

    pub(crate) fn is_forbidden_trailer(&self) -> bool {
        is_forbidden_trailer(self.name)
    }
}

/// Whether a field of this name may not come after the body (RFC 9110, 6.5.1): framing, routing, authentication, and what the body
/// is read by.
pub(crate) fn is_forbidden_trailer(name: &[u8]) -> bool {
    const FORBIDDEN: [&str; 26] = [
        "host",
        "content-length",
        "content_length",
        "transfer-encoding",
        "transfer_encoding",
        "connection",
        "keep-alive",
        "proxy-connection",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "max-forwards",
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "cache-control",
        "content-encoding",
        "content-type",
        "content-range",
        "range",
        "forwarded",
        "via",
        "x-forwarded-for",
        "idempotency-key",
    ];
    FORBIDDEN.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden.as_bytes()))
}

/// Why the line has no name.
fn bad_name(line: &[u8]) -> Offence {
    if line.first().copied().is_some_and(is_blank) {
        return Offence::FoldedLine;
    }
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    match name.len() < line.len() && name.last().copied().is_some_and(is_blank) {
        true => Offence::SpaceBeforeColon,
        false => Offence::InvalidFieldName,
    }
}

/// A control character comes after this much of a line.
pub(crate) fn bad_letter(before: &[u8]) -> Offence {
    match before.contains(&b':') {
        true => Offence::InvalidFieldValue,
        false => Offence::InvalidFieldName,
    }
}

/// The decimal number of a `Content-Length`. A sign, a list, a leading zero, or more than what programs count with are
/// what two readers would read differently.
pub(crate) fn content_length(value: &[u8]) -> Result<u64, Offence> {
    if value.contains(&b',') {
        return Err(Offence::SeveralLengths);
    }
    let is_plain = |length: &u64| *length <= i64::MAX as u64 && (value.len() == 1 || value[0] != b'0');
    decimal(value).filter(is_plain).ok_or(Offence::InvalidLength)
}

/// Checks that a `Transfer-Encoding` is exactly `chunked`.
pub(crate) fn transfer_encoding(value: &[u8]) -> Result<(), Offence> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let codings = || value.split(|byte| *byte == b',').map(trimmed);
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let named = |coding: &[u8]| !coding.is_empty() && coding.iter().all(|byte| is_token(*byte));
    let unknown = codings().filter(|coding| !is_chunked(coding)).count();
    match codings().all(named) {
        false => Err(Offence::InvalidEncoding),
        true if unknown == 0 => Err(Offence::SeveralEncodings),
        // Chunked before another one: nobody could tell where the body ends.
        true if codings().any(is_chunked) && !codings().next_back().is_some_and(is_chunked) => {
            Err(Offence::InvalidEncoding)
        }
        true => Err(Offence::UnknownEncoding),
    }
}
