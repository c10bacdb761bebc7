//! One classification of what came of a request, for everybody who asks: retry, balancing, metrics.
//!
//! | what | class |
//! |---|---|
//! | 1xx, 2xx, 3xx | fine |
//! | 4xx | business: the service has answered, the caller asked for something it does not get |
//! | 408, 425 | technical |
//! | 429 | business: neither sent again nor held against the instance |
//! | 5xx, resets, time-outs, no connection | technical |
//! | gRPC status UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS | technical |
//! | gRPC status CANCELLED | caller gone |
//! | any other gRPC status but OK | business |
//! | `X-Error-Class: business` or `technical` in the answer | as it says, before all the others |

use adsum_forward::seldom;
use http::{HeaderMap, HeaderName, StatusCode, header};

/// By which a service says otherwise.
const X_ERROR_CLASS: HeaderName = HeaderName::from_static("x-error-class");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    Fine,
    /// An answer that the caller does not like and another instance would give too.
    Business,
    /// A failure of the machinery.
    Technical,
    /// Nobody waited for the end.
    CallerGone,
}

impl Class {
    /// From the head of an answer.
    pub fn of(status: StatusCode, headers: &HeaderMap) -> Class {
        if let Some(class) = said(headers) {
            return class;
        }
        if status == StatusCode::OK && is_grpc(headers) {
            // Only an answer without a body has its gRPC status here ("Trailers-Only").
            return Class::of_trailers(headers).unwrap_or(Class::Fine);
        }
        match status.as_u16() {
            408 | 425 | 500.. => Class::Technical,
            400..=499 => Class::Business,
            _ => Class::Fine,
        }
    }

    /// Whether the head of an answer leaves open what has come of the request: the trailers tell.
    pub fn is_told_at_end(status: StatusCode, headers: &HeaderMap) -> bool {
        status == StatusCode::OK
            && is_grpc(headers)
            && !headers.contains_key(&GRPC_STATUS)
            && said(headers).is_none()
    }

    /// From the trailers of an answer, whose head was fine: a gRPC status says more than the head.
    pub fn of_trailers(trailers: &HeaderMap) -> Option<Class> {
        let code = trailers.get(&GRPC_STATUS)?.to_str().ok()?.trim().parse().ok()?;
        Some(of_grpc(code))
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Class::Fine => "fine",
            Class::Business => "business",
            Class::Technical => "technical",
            Class::CallerGone => "caller-gone",
        }
    }
}

fn said(headers: &HeaderMap) -> Option<Class> {
    let value = seldom(headers, &X_ERROR_CLASS)?.as_bytes();
    if value.eq_ignore_ascii_case(b"business") {
        Some(Class::Business)
    } else if value.eq_ignore_ascii_case(b"technical") {
        Some(Class::Technical)
    } else {
        None
    }
}

/// `application/grpc`, also with `+proto` and the like; gRPC-Web has its trailers in the body.
fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(media) = headers.get(header::CONTENT_TYPE) else { return false };
    let bytes = media.as_bytes();
    let rest = bytes.get(16..).unwrap_or_default();
    bytes.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/grpc"))
        && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// <https://grpc.io/docs/guides/status-codes/>
fn of_grpc(code: u32) -> Class {
    match code {
        0 => Class::Fine,
        1 => Class::CallerGone,
        2 | 4 | 13 | 14 | 15 => Class::Technical,
        _ => Class::Business,
    }
}
