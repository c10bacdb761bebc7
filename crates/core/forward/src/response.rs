//! An answer's headers on their way back to the caller, and what a retry says to the service.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::hop::{self, KEEP_ALIVE, PROXY_CONNECTION};
use crate::identity::X_REQUEST_ID;

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
}

/// Makes of the headers that an instance answered with those that the caller gets. The headers of 101 that make the
/// upgrade are kept.
pub fn pass_back(status: StatusCode, headers: &mut HeaderMap, marks: &Marks<'_>) {
    let switches = status == StatusCode::SWITCHING_PROTOCOLS;
    if headers.contains_key(header::CONNECTION) {
        hop::remove_connection(headers);
    }
    headers.remove(KEEP_ALIVE);
    headers.remove(PROXY_CONNECTION);
    if headers.remove(header::TRANSFER_ENCODING).is_some() {
        // Not so long, whatever it says (RFC 9112 section 6.3): the chunks have said where the body ends.
        headers.remove(header::CONTENT_LENGTH);
    }
    if switches {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    } else {
        headers.remove(header::UPGRADE);
    }
    marks.put(headers);
}

/// Whether an answer's body is read as its sender means it: in chunks, or with no coding for its way at all. Any other
/// coding would reach the caller undone and unnamed.
pub fn knows_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return true };
    coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") && codings.next().is_none()
}

impl Marks<'_> {
    /// Also for the answers that the gateway gives by itself.
    pub fn put(&self, headers: &mut HeaderMap) {
        if let Some(id) = self.request_id {
            headers.insert(X_REQUEST_ID, id.clone());
        }
        if let Some(instance) = self.served_by {
            headers.insert(X_SERVED_BY, instance.clone());
        }
        if let Some(attempts) = self.attempts {
            headers.insert(X_ATTEMPTS, number(attempts));
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
