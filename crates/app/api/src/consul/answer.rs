//! Answers in Consul's form.

use adsum_model::Revision;
use adsum_store::{Failed, NotCommitted};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::blocking::BadQuestion;
use crate::entrance::plain;

/// A refusal: a status and a plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    text: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Refusal {
        Refusal { status, text: text.into() }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    pub(crate) fn bad(text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, text)
    }

    /// Consul answers 500 to what it fails on, mistakes of the client among them.
    pub(crate) fn failed(text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }
}

impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Refusal {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, failed.to_string())
    }
}

impl From<NotCommitted> for Refusal {
    fn from(error: NotCommitted) -> Refusal {
        match error {
            NotCommitted::Failed(failed) => failed.into(),
            NotCommitted::TooBig(too_big) => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, too_big.to_string()),
        }
    }
}

impl From<BadQuestion> for Refusal {
    fn from(bad: BadQuestion) -> Refusal {
        Refusal::bad(match bad {
            BadQuestion::Index(_) => "Invalid index",
            BadQuestion::Wait(_) => "Invalid wait time",
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        plain(self.status, self.text)
    }
}

/// What was created, which is found by its id.
#[derive(Serialize)]
pub(crate) struct Created {
    #[serde(rename = "ID")]
    pub(crate) id: String,
}

pub(crate) fn json(pretty: bool, shape: &impl Serialize) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, kind)], to_json(pretty, shape)).into_response()
}

fn to_json(pretty: bool, shape: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = if pretty {
        shape.serialize(&mut Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"    ")))
    } else {
        shape.serialize(&mut Serializer::new(&mut bytes))
    };
    written.expect("our own shapes have a JSON form");
    if pretty {
        bytes.push(b'\n');
    }
    bytes
}

/// Adds what a read tells of its state. There is one leader, and it is always this process.
pub(crate) fn at(index: Revision, consistency: Option<&'static str>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-consul-index"), HeaderValue::from(index.0.max(1)));
    let fixed = [
        ("x-consul-knownleader", Some("true")),
        ("x-consul-lastcontact", Some("0")),
        ("x-consul-query-backend", Some("blocking-query")),
        ("x-consul-effective-consistency", consistency),
    ];
    for (name, value) in fixed {
        if let Some(value) = value {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
    }
    response
}
