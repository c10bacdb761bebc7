//! What clients send, read as Consul reads it: the names of JSON in any case, durations as text or as a number.

use std::time::Duration;

use adsum_model::parse_duration;
use adsum_session::session;
use axum::body::Body;
use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Map, Value};

use super::answer::Refusal;
use crate::body::{self, BodyError};

/// A JSON object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given(Map<String, Value>);

/// Reads a body within its bound.
pub(crate) async fn bytes(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    body::read(body, limit).await.map_err(|error| match error {
        BodyError::TooLarge(length) => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("Request body({length} bytes) too large, max size: {limit} bytes."),
        ),
        BodyError::TooSlow => Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        BodyError::Broken => Refusal::bad("the body broke off: send it whole"),
    })
}

/// Reads a body that is JSON; nothing when it is empty.
pub(crate) async fn value(body: Body, limit: usize) -> Result<Option<Value>, Refusal> {
    let bytes = bytes(body, limit).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let failed = |error| Refusal::bad(format!("Request decode failed: {error}"));
    serde_json::from_slice(&bytes).map(Some).map_err(failed)
}

/// An id that nobody else has, in the form of a UUID.
pub(crate) fn id() -> Result<String, Refusal> {
    let mut lot = [0; 16];
    let drawn = getrandom::fill(&mut lot);
    drawn.map_err(|error| Refusal::failed(format!("no randomness for an id: {error}")))?;
    Ok(session::id(u128::from_be_bytes(lot)))
}

/// The bytes that base64 (RFC 4648 4) stands for.
pub(crate) fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=');
    if text.len() - bare.len() > 2 || (text.len() != bare.len() && !text.len().is_multiple_of(4)) {
        return None;
    }
    let mut bytes = Vec::with_capacity(bare.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0u32, 0);
    for letter in bare.bytes() {
        bits = bits << 6 | base64_digit(letter)?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    // What is left over says nothing.
    (count < 6 && bits == 0).then_some(bytes)
}

fn base64_digit(letter: u8) -> Option<u32> {
    let digit = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(digit.into())
}

fn undecodable(name: &str, what: &str) -> Refusal {
    Refusal::bad(format!("Request decode failed: '{name}' is no {what}"))
}

impl Given {
    pub(crate) fn of(value: Option<Value>) -> Result<Given, Refusal> {
        match value {
            None | Some(Value::Null) => Ok(Given::default()),
            Some(Value::Object(object)) => Ok(Given(object)),
            Some(_) => Err(undecodable("body", "object")),
        }
    }

    pub(crate) fn into_map(self) -> Map<String, Value> {
        self.0
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter()
    }

    /// The first field of this name; null is none.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        let exact = self.0.get(name);
        let any = || self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        exact.or_else(any).filter(|value| !value.is_null())
    }

    /// Empty when it is not there.
    pub(crate) fn text(&self, name: &str) -> Result<String, Refusal> {
        match self.field(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(undecodable(name, "text")),
        }
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.field(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(undecodable(name, "true or false")),
        }
    }

    /// 0 when it is not there.
    pub(crate) fn number(&self, name: &str) -> Result<u64, Refusal> {
        let Some(value) = self.field(name) else { return Ok(0) };
        value.as_u64().ok_or_else(|| undecodable(name, "number from 0 on"))
    }

    pub(crate) fn object(&self, name: &str) -> Result<Option<Given>, Refusal> {
        match self.field(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Given(object.clone()))),
            Some(_) => Err(undecodable(name, "object")),
        }
    }

    /// None when it is not there.
    pub(crate) fn list(&self, name: &str) -> Result<Option<&[Value]>, Refusal> {
        match self.field(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(undecodable(name, "list")),
        }
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let Some(list) = self.list(name)? else { return Ok(None) };
        let texts = list.iter().map(|text| text.as_str().map(str::to_string));
        let texts: Option<Vec<String>> = texts.collect();
        texts.map(Some).ok_or_else(|| undecodable(name, "list of texts"))
    }

    /// As text (`15s`), or as nanoseconds, where a number under 1000 is taken for seconds.
    pub(crate) fn duration(&self, name: &str) -> Result<Option<Duration>, Refusal> {
        let wrong = || undecodable(name, "duration: write it like \"15s\"");
        match self.field(name) {
            None => Ok(None),
            Some(Value::String(text)) => parse_duration(text).map(Some).map_err(|_| wrong()),
            Some(number) => match number.as_u64() {
                Some(seconds @ ..1000) => Ok(Some(Duration::from_secs(seconds))),
                Some(nanos) => Ok(Some(Duration::from_nanos(nanos))),
                None => Err(wrong()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn base64_reads_what_it_was_made_of() {
        for length in 0..40u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(77)).collect();
            assert_eq!(base64_bytes(&adsum_keyspace::json::base64(&bytes)), Some(bytes));
        }
        assert_eq!(base64_bytes("dg"), Some(b"v".to_vec()));
        for wrong in ["d", "dg=", "d===", "=dg=", "d!==", "dh=="] {
            assert_eq!(base64_bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_come_in_any_case_and_durations_in_any_form() {
        let given = json!({"name": "a", "TTL": null, "lockdelay": 5, "Checks": ["x"], "Long": 1_500_000_000});
        let given = Given::of(Some(given)).unwrap();
        assert_eq!(given.text("Name").unwrap(), "a");
        assert_eq!(given.text("TTL").unwrap(), "");
        assert_eq!(given.texts("checks").unwrap(), Some(vec!["x".to_string()]));
        assert_eq!(given.duration("LockDelay").unwrap(), Some(Duration::from_secs(5)));
        assert_eq!(given.duration("Long").unwrap(), Some(Duration::from_millis(1500)));
        assert!(given.text("Checks").is_err() && given.duration("name").is_err());
        assert!(Given::of(Some(json!([]))).is_err());
    }
}
