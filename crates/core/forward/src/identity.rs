//! By which names a request is known further on: its ids and its trace.
//!
//! What the caller gives is kept when it is harmless, and made when it is missing or not. Without a valid `traceparent`
//! and without B3 a trace begins here; the id of a request that has none is then the trace's own, so that logs and
//! traces find each other.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::examine::{Found, Known};
use crate::told::Field;
use crate::trace::{self, Trace};

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Kept from the caller; the request id when it has none.
pub const X_CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

const LONGEST: usize = 128;

/// Chance, for ids. Different for each request.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    pub request: u128,
    pub span: u64,
}

/// Returns the request's id, and of ids and trace what is to go on and is not in the headers.
pub(crate) fn give(headers: &mut HeaderMap, found: &Found, seed: Seed) -> (HeaderValue, Vec<Field>) {
    let mut names = Vec::with_capacity(3);
    let made = follow_trace(headers, found, seed, &mut names);
    let request = valid_id(headers, found, Known::RequestId, &X_REQUEST_ID).unwrap_or_else(|| {
        let id = made.unwrap_or_else(|| trace::begin(seed.request, seed.span)).id;
        names.push((X_REQUEST_ID, id.clone()));
        id
    });
    if valid_id(headers, found, Known::CorrelationId, &X_CORRELATION_ID).is_none() {
        names.push((X_CORRELATION_ID, request.clone()));
    }
    (request, names)
}

/// Returns the trace when it begins here.
fn follow_trace(headers: &mut HeaderMap, found: &Found, seed: Seed, names: &mut Vec<Field>) -> Option<Trace> {
    let renewed = found.has(Known::TraceParent).then(|| {
        let mut values = headers.get_all(&TRACEPARENT).iter();
        let only = values.next().filter(|_| values.next().is_none());
        let renewed = only.and_then(|value| trace::renew(value, seed.span));
        headers.remove(&TRACEPARENT);
        renewed
    });
    if let Some(renewed) = renewed.flatten() {
        names.push((TRACEPARENT, renewed));
        return None;
    }
    if found.has(Known::TraceState) {
        headers.remove(TRACESTATE);
    }
    if found.has(Known::B3) {
        return None;
    }
    let trace = trace::begin(seed.request, seed.span);
    names.push((TRACEPARENT, trace.parent.clone()));
    Some(trace)
}

/// Taken out if it is not valid.
fn valid_id(headers: &mut HeaderMap, found: &Found, known: Known, name: &HeaderName) -> Option<HeaderValue> {
    if !found.has(known) {
        return None;
    }
    let mut values = headers.get_all(name).iter();
    let only = values.next().filter(|value| is_valid(value) && values.next().is_none()).cloned();
    if only.is_none() {
        headers.remove(name);
    }
    only
}

/// 1 to 128 visible ASCII letters: nothing that could break a log or a header further on.
fn is_valid(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    (1..=LONGEST).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}
