//! An answer's headers on their way back to the caller, and what a retry says to the service.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::examine::{Known, examine};
use crate::hop::{self, KEEP_ALIVE, PROXY_CONNECTION};
use crate::identity::X_REQUEST_ID;
use crate::told::Field;

/// How many tries it took, in answers; on a request it marks a retry, which no gateway sends again.
pub const X_ATTEMPTS: HeaderName = HeaderName::from_static("x-attempts");
/// The id of the instance that answered.
pub const X_SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");

/// What the caller is told; what is none is switched off, and is then what the service has said of it itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marks<'a> {
    pub request_id: Option<&'a HeaderValue>,
    pub served_by: Option<&'a HeaderValue>,
    pub attempts: Option<u32>,
    /// Whether HTTP/2 is to remember the id, so that its name has a number from then on.
    pub indexes_id: bool,
}

/// Makes of the headers that an instance answered with those that the caller gets, but for the marks, which are put behind
/// them. The headers of 101 that make the upgrade are kept.
pub fn pass_back(status: StatusCode, headers: &mut HeaderMap, marks: &Marks<'_>) {
    let switches = status == StatusCode::SWITCHING_PROTOCOLS;
    let found = examine(headers);
    if found.has(Known::Connection) {
        hop::remove_connection(headers);
    }
    found.remove(headers, [(Known::KeepAlive, KEEP_ALIVE), (Known::ProxyConnection, PROXY_CONNECTION)]);
    if found.has(Known::TransferEncoding) {
        headers.remove(header::TRANSFER_ENCODING);
        // Not so long, whatever it says (RFC 9112 section 6.3): the chunks have said where the body ends.
        headers.remove(header::CONTENT_LENGTH);
    }
    if switches {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    } else {
        found.remove(headers, [(Known::Upgrade, header::UPGRADE)]);
    }
    let marked = [Known::RequestId, Known::ServedBy, Known::Attempts];
    if marked.into_iter().any(|known| found.has(known)) {
        marks.fields().iter().flatten().for_each(|(name, _)| drop(headers.remove(name)));
    }
}

/// The same for what an instance says before its answer (1xx), which has no length and no marks: these come with the answer,
/// and nobody else's go before it.
pub fn pass_early(status: StatusCode, headers: &mut HeaderMap) {
    pass_back(status, headers, &Marks::default());
    for name in [header::CONTENT_LENGTH, header::TE, X_REQUEST_ID, X_SERVED_BY, X_ATTEMPTS] {
        headers.remove(name);
    }
}

/// Whether an answer's body is read as its sender means it: in chunks, or with no coding for its way at all. Any other
/// coding would reach the caller undone and unnamed.
pub fn knows_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return true };
    coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") && codings.next().is_none()
}

impl Marks<'_> {
    /// To be written behind the headers; also for the answers that the gateway gives by itself.
    pub fn fields(&self) -> [Option<Field>; 3] {
        [
            self.request_id.map(|id| (X_REQUEST_ID, id.clone())),
            self.served_by.map(|instance| (X_SERVED_BY, instance.clone())),
            self.attempts.map(|attempts| (X_ATTEMPTS, number(attempts))),
        ]
    }

    /// Puts them in, for whoever has nothing but headers: none of these names is among them.
    pub fn put(&self, headers: &mut HeaderMap) {
        if let Some(id) = self.request_id {
            let mut id = id.clone();
            // It never comes a second time: HTTP/2 has no use in remembering each.
            id.set_sensitive(!self.indexes_id);
            headers.append(X_REQUEST_ID, id);
        }
        if let Some(instance) = self.served_by {
            headers.append(X_SERVED_BY, instance.clone());
        }
        if let Some(attempts) = self.attempts {
            headers.append(X_ATTEMPTS, number(attempts));
        }
    }
}

/// From the second try on.
pub fn mark_retry(headers: &mut HeaderMap, attempt: u32) {
    headers.insert(X_ATTEMPTS, number(attempt));
}

/// Most answers take one try.
fn number(count: u32) -> HeaderValue {
    match count {
        1 => HeaderValue::from_static("1"),
        2 => HeaderValue::from_static("2"),
        3 => HeaderValue::from_static("3"),
        count => HeaderValue::from(count),
    }
}
