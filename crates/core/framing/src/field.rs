//! One field: a line of a head or of trailers.

use crate::letters::{all_value, is_blank, is_token, position, trimmed};
use crate::offence::Offence;

/// The fields that decide how long a request is, whom it is for, and what comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Host,
    ContentLength,
    TransferEncoding,
    Expect,
    Upgrade,
    Other,
}

/// A field, with the blanks around its value taken away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl<'a> Field<'a> {
    /// Reads a line that is not empty.
    pub(crate) fn read(line: &'a [u8]) -> Result<Self, Offence> {
        let Some(colon) =
            line.iter().position(|byte| !is_token(*byte)).filter(|at| line[*at] == b':' && *at > 0)
        else {
            return Err(bad_name(line));
        };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        match all_value(value) {
            true => Ok(Self { name, value: trimmed(value) }),
            false => Err(with_return(value).unwrap_or(Offence::InvalidFieldValue)),
        }
    }

    /// What the field is about. The length tells most of them apart before a letter is compared.
    pub(crate) fn kind(&self) -> Result<Kind, Offence> {
        let is = |name: &str| self.name.eq_ignore_ascii_case(name.as_bytes());
        Ok(match self.name.len() {
            4 if is("host") => Kind::Host,
            6 if is("expect") => Kind::Expect,
            7 if is("upgrade") => Kind::Upgrade,
            14 if is("content-length") => Kind::ContentLength,
            17 if is("transfer-encoding") => Kind::TransferEncoding,
            // Whoever hands fields on as variables of an environment reads these as the ones above.
            14 if is("content_length") => return Err(Offence::InvalidFieldName),
            17 if is("transfer_encoding") => return Err(Offence::InvalidFieldName),
            _ => Kind::Other,
        })
    }

    /// Whether it may not come after the body (RFC 9110, 6.5.1): framing, routing, authentication, and what the body
    /// is read by.
    pub(crate) fn is_forbidden_trailer(&self) -> bool {
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
        FORBIDDEN.iter().any(|name| self.name.eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// Why the line has no name.
fn bad_name(line: &[u8]) -> Offence {
    if line.first().copied().is_some_and(is_blank) {
        return Offence::FoldedLine;
    }
    if let Some(offence) = with_return(line) {
        return offence;
    }
    let name = position(b':', line).map_or(line, |colon| &line[..colon]);
    match name.last().copied().is_some_and(is_blank) {
        true => Offence::SpaceBeforeColon,
        false => Offence::InvalidFieldName,
    }
}

/// A CR within a line is told as what it is.
pub(crate) fn with_return(line: &[u8]) -> Option<Offence> {
    position(b'\r', line).map(|_| Offence::BareCarriageReturn)
}

/// The decimal number of a `Content-Length`. A sign, a list, a leading zero, or more than what programs count with are
/// what two readers would read differently.
pub(crate) fn content_length(value: &[u8]) -> Result<u64, Offence> {
    if position(b',', value).is_some() {
        return Err(Offence::SeveralLengths);
    }
    let good =
        !value.is_empty() && value.iter().all(u8::is_ascii_digit) && (value.len() == 1 || value[0] != b'0');
    let digits = std::str::from_utf8(value).ok().filter(|_| good).ok_or(Offence::InvalidLength)?;
    digits.parse().ok().filter(|length| *length <= i64::MAX as u64).ok_or(Offence::InvalidLength)
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
