//! The answers that the gateway gives by itself: which status, which code, which words.
//!
//! Every such answer carries `X-Gateway-Error: CODE`, so that nobody takes it for an answer of the service, and
//! `Cache-Control: no-store`. The body is one line of text, or JSON for who prefers that.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::accept;

/// Says which of [`GatewayError`] it was.
pub const X_GATEWAY_ERROR: HeaderName = HeaderName::from_static("x-gateway-error");

/// Why the gateway answers instead of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GatewayError {
    NoRoute,
    NoInstance,
    PendingFull,
    HoldExpired,
    ConnectFailed,
    UpstreamClosed,
    UpstreamTimeout,
    Deadline,
    UpstreamInvalid,
    BadRequest,
    UriTooLong,
    HeadersTooLarge,
    Loop,
}

/// A whole answer, ready to be sent.
#[derive(Clone, Debug)]
pub struct ErrorAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl GatewayError {
    pub const ALL: [GatewayError; 13] = [
        GatewayError::NoRoute,
        GatewayError::NoInstance,
        GatewayError::PendingFull,
        GatewayError::HoldExpired,
        GatewayError::ConnectFailed,
        GatewayError::UpstreamClosed,
        GatewayError::UpstreamTimeout,
        GatewayError::Deadline,
        GatewayError::UpstreamInvalid,
        GatewayError::BadRequest,
        GatewayError::UriTooLong,
        GatewayError::HeadersTooLarge,
        GatewayError::Loop,
    ];

    /// The word for programs: the value of `X-Gateway-Error` and of the label of the metrics.
    pub fn code(self) -> &'static str {
        self.row().1
    }

    pub fn status(self) -> StatusCode {
        self.row().0
    }

    /// The sentence for people.
    pub fn message(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            GatewayError::NoRoute => (
                StatusCode::NOT_FOUND,
                "no-route",
                "no route is for this request: see `adsum gateway routes`",
            ),
            GatewayError::NoInstance => (
                StatusCode::SERVICE_UNAVAILABLE,
                "no-instance",
                "no instance of the service takes requests now: try again, or see `adsum service why`",
            ),
            GatewayError::PendingFull => (
                StatusCode::SERVICE_UNAVAILABLE,
                "pending-full",
                "too many requests wait for an instance of the service already: try again later",
            ),
            GatewayError::HoldExpired => (
                StatusCode::SERVICE_UNAVAILABLE,
                "hold-expired",
                "no instance of the service became free in time: try again later",
            ),
            GatewayError::ConnectFailed => (
                StatusCode::BAD_GATEWAY,
                "connect-failed",
                "no connection to an instance of the service could be made",
            ),
            GatewayError::UpstreamClosed => (
                StatusCode::BAD_GATEWAY,
                "upstream-closed",
                "the instance closed the connection before it answered, and the request could not be sent again safely",
            ),
            GatewayError::UpstreamTimeout => {
                (StatusCode::GATEWAY_TIMEOUT, "upstream-timeout", "the instance did not answer in time")
            }
            GatewayError::Deadline => (
                StatusCode::GATEWAY_TIMEOUT,
                "deadline",
                "the deadline of the request passed before it was answered",
            ),
            GatewayError::UpstreamInvalid => {
                (StatusCode::BAD_GATEWAY, "upstream-invalid", "the instance's answer is no valid HTTP")
            }
            GatewayError::BadRequest => (
                StatusCode::BAD_REQUEST,
                "bad-request",
                "the request is not one that can be passed on safely",
            ),
            GatewayError::UriTooLong => {
                (StatusCode::URI_TOO_LONG, "uri-too-long", "the address of the request is too long")
            }
            GatewayError::HeadersTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers-too-large",
                "the headers of the request are too large",
            ),
            GatewayError::Loop => (
                StatusCode::LOOP_DETECTED,
                "loop",
                "the request has come through this gateway too often: a route leads in a circle",
            ),
        }
    }

    /// The answer, as JSON when `accept` (the request's `Accept`) prefers it. `detail` takes the place of the usual
    /// sentence: why exactly, in one line.
    pub fn answer(self, accept: Option<&HeaderValue>, detail: Option<&str>) -> ErrorAnswer {
        let message = detail.unwrap_or(self.message());
        let json = accept.is_some_and(|value| accept::prefers_json(value.as_bytes()));
        let body = if json { self.json(message) } else { format!("{message}\n") };
        let media = if json { "application/json" } else { "text/plain; charset=utf-8" };
        let mut headers = HeaderMap::with_capacity(5);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_GATEWAY_ERROR, HeaderValue::from_static(self.code()));
        if self == GatewayError::NoInstance {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        ErrorAnswer { status: self.status(), headers, body: Bytes::from(body) }
    }

    fn json(self, message: &str) -> String {
        let mut text = String::with_capacity(message.len() + 64);
        text.push_str("{\"error\":\"");
        text.push_str(self.code());
        text.push_str("\",\"message\":\"");
        message.chars().for_each(|letter| escape(letter, &mut text));
        text.push_str("\"}\n");
        text
    }
}

/// As RFC 8259 section 7 wants it in a string; control characters, which no sentence needs, become spaces.
fn escape(letter: char, text: &mut String) {
    match letter {
        '"' | '\\' => text.extend(['\\', letter]),
        letter if letter.is_control() => text.push(' '),
        letter => text.push(letter),
    }
}
