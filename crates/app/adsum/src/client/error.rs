//! How a call to the agent fails, in words that say what to do.

use std::fmt;
use std::io;
use std::time::Duration;

use adsum_model::print_duration;
use hyper::StatusCode;
use serde_json::Value;

use super::Address;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "no agent answers at {address}: start one with 'adsum agent', or name it with --addr or ADSUM_HTTP_ADDR"
    )]
    NoAgent { address: Address },
    #[error("cannot reach an agent at {address}: check --addr or ADSUM_HTTP_ADDR")]
    Unreachable { address: Address, source: io::Error },
    #[error("the agent at {address} closed the connection before its answer was complete")]
    Lost { address: Address, source: hyper::Error },
    #[error("the agent at {address} gave no answer within {}", print_duration(*patience))]
    Late { address: Address, patience: Duration },
    #[error("the answer is no JSON: is it an adsum agent that answers there?")]
    Garbled { source: serde_json::Error },
    #[error(transparent)]
    Refused(Refusal),
}

/// The agent understood, and said no.
#[derive(Debug, thiserror::Error)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// Everything that was wrong; never empty.
    pub(crate) errors: Vec<String>,
}

impl Error {
    /// The status of a refusal.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Error::Refused(refusal) => Some(refusal.status),
            Error::NoAgent { .. }
            | Error::Unreachable { .. }
            | Error::Lost { .. }
            | Error::Late { .. }
            | Error::Garbled { .. } => None,
        }
    }

    /// The same, with our own words for a status.
    pub(crate) fn when(self, status: StatusCode, words: impl FnOnce() -> String) -> Error {
        match self.status() == Some(status) {
            true => Error::Refused(Refusal { status, errors: vec![words()] }),
            false => self,
        }
    }
}

impl Refusal {
    /// Reads `{"errors": [...]}`, or else takes the text of the answer as it is.
    pub(crate) fn new(status: StatusCode, body: &[u8]) -> Refusal {
        let json: Option<Value> = serde_json::from_slice(body).ok();
        let listed = json.as_ref().and_then(|json| json.get("errors")?.as_array());
        let mut errors: Vec<String> = listed.into_iter().flatten().map(text).collect();
        if errors.is_empty() {
            let body = String::from_utf8_lossy(body);
            let words = if body.trim().is_empty() { "without a reason" } else { body.trim() };
            errors.push(format!("the agent answers {status}: {words}"));
        }
        Refusal { status, errors }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// One per line.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.errors.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expect: &str) {
        let refusal = Refusal::new(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        assert_eq!(refusal.to_string(), expect);
    }

    #[test]
    fn all_errors_of_a_refusal_are_shown_one_per_line() {
        check(
            422,
            r#"{"errors":["replicas: -1 is too few","check: no path"]}"#,
            "replicas: -1 is too few\ncheck: no path",
        );
    }

    #[test]
    fn a_refusal_in_another_form_shows_what_came() {
        check(400, "key is a list\n", "the agent answers 400 Bad Request: key is a list");
        check(503, "", "the agent answers 503 Service Unavailable: without a reason");
        check(409, r#"{"errors":[]}"#, r#"the agent answers 409 Conflict: {"errors":[]}"#);
    }
}
