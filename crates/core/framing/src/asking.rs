//! The head of a request to an instance.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use crate::outgoing::Extent;
use crate::text::{ROOM, write_field, write_length};

/// What a request says before its body.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    pub method: &'a Method,
    /// Its path and query are sent.
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
    /// Fields that come behind these, of other names.
    pub further: [&'a [(HeaderName, HeaderValue)]; 2],
}

pub(crate) fn write(out: &mut Vec<u8>, asking: &Asking<'_>, extent: Extent) {
    let target = asking.uri.path_and_query().map_or("/", |target| target.as_str());
    out.reserve(ROOM);
    for part in [asking.method.as_str(), " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    let further = asking.further.into_iter().flatten().map(|(name, value)| (name, value));
    let fields = asking.headers.iter().chain(further).filter(|(name, _)| !is_about_length(name));
    fields.for_each(|(name, value)| write_field(out, name, value.as_bytes()));
    match extent {
        // Said only where the client has said it.
        Extent::Nothing if !asking.headers.contains_key(header::CONTENT_LENGTH) => {}
        Extent::Nothing => write_field(out, &header::CONTENT_LENGTH, b"0"),
        Extent::Length(length) => write_length(out, length),
        Extent::Chunked => write_field(out, &header::TRANSFER_ENCODING, b"chunked"),
    }
    out.extend_from_slice(b"\r\n");
}

fn is_about_length(name: &HeaderName) -> bool {
    *name == header::CONTENT_LENGTH || *name == header::TRANSFER_ENCODING
}
