//! The head of an answer to a client, of which it is said again how long it is and what becomes of the connection: by what
//! is so here, whatever an instance has said of its own connection.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::outgoing::Extent;
use crate::text::{ROOM, write_field, write_length};

/// What an answer says before its body.
#[derive(Debug, Clone, Copy)]
pub struct Answering<'a> {
    /// The version that its client speaks; otherwise 1.0, which knows no chunks.
    pub is_http_11: bool,
    /// It is the answer to HEAD.
    pub to_head: bool,
    /// Its client wants what comes behind chunks.
    pub takes_trailers: bool,
    pub status: StatusCode,
    /// The words behind the status, if they are not the usual ones.
    pub reason: Option<&'a [u8]>,
    pub headers: &'a HeaderMap,
    /// Fields that come behind these, of other names.
    pub further: &'a [Option<(HeaderName, HeaderValue)>],
    /// Told when the fields have none.
    pub date: &'a [u8],
    /// The connection can be used again afterwards, as far as the body does not end with it.
    pub keeps: bool,
}

impl Answering<'_> {
    /// Whether a body may follow at all (RFC 9112, 6.3).
    pub(crate) fn has_body(&self) -> bool {
        !self.to_head && self.may_tell_length()
    }

    /// Whether anything may be said of a length.
    fn may_tell_length(&self) -> bool {
        let never = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        !self.status.is_informational() && !never.contains(&self.status)
    }

    fn switches(&self) -> bool {
        self.status == StatusCode::SWITCHING_PROTOCOLS
    }

    /// Whether a field goes out as it is.
    fn passes(&self, name: &HeaderName, in_chunks: bool) -> bool {
        match *name {
            header::CONTENT_LENGTH | header::TRANSFER_ENCODING => false,
            header::CONNECTION => self.switches(),
            header::TRAILER => in_chunks,
            _ => true,
        }
    }
}

pub(crate) fn write(out: &mut Vec<u8>, answering: &Answering<'_>, extent: Extent, keeps: bool) {
    let in_chunks = extent == Extent::Chunked && answering.has_body() && answering.is_http_11;
    out.reserve(ROOM);
    write_status(out, answering);
    let mut has_date = false;
    let further = answering.further.iter().flatten().map(|(name, value)| (name, value));
    let fields = answering.headers.iter().chain(further);
    fields.filter(|(name, _)| answering.passes(name, in_chunks)).for_each(|(name, value)| {
        has_date |= *name == header::DATE;
        write_field(out, name, value.as_bytes());
    });
    if !has_date {
        write_field(out, &header::DATE, answering.date);
    }
    write_persistence(out, answering, keeps);
    write_extent(out, answering, extent, in_chunks);
    out.extend_from_slice(b"\r\n");
}

fn write_status(out: &mut Vec<u8>, answering: &Answering<'_>) {
    out.extend_from_slice(if answering.is_http_11 { b"HTTP/1.1 " } else { b"HTTP/1.0 " });
    out.extend_from_slice(answering.status.as_str().as_bytes());
    out.push(b' ');
    let usual = || answering.status.canonical_reason().unwrap_or_default().as_bytes();
    out.extend_from_slice(answering.reason.unwrap_or_else(usual));
    out.extend_from_slice(b"\r\n");
}

fn write_persistence(out: &mut Vec<u8>, answering: &Answering<'_>, keeps: bool) {
    match (keeps, answering.is_http_11) {
        _ if answering.switches() => {}
        (true, true) => {}
        (true, false) => write_field(out, &header::CONNECTION, b"keep-alive"),
        (false, _) => write_field(out, &header::CONNECTION, b"close"),
    }
}

fn write_extent(out: &mut Vec<u8>, answering: &Answering<'_>, extent: Extent, in_chunks: bool) {
    match extent {
        _ if !answering.may_tell_length() => {}
        Extent::Length(length) => write_length(out, length),
        // The length of what GET would bring.
        Extent::Nothing if answering.to_head => {
            if let Some(length) = answering.headers.get(header::CONTENT_LENGTH) {
                write_field(out, &header::CONTENT_LENGTH, length.as_bytes());
            }
        }
        Extent::Nothing => write_length(out, 0),
        Extent::Chunked if in_chunks => write_field(out, &header::TRANSFER_ENCODING, b"chunked"),
        Extent::Chunked => {}
    }
}
