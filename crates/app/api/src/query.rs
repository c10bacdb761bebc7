//! The part of a URL behind the `?`.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::percent;

/// Names with values, in their order. A name without a value has an empty one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, Vec<u8>)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Query {
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (String::from_utf8_lossy(&unescape(name)).into_owned(), unescape(value))
        };
        Query(text.split('&').filter(|part| !part.is_empty()).map(pair).collect())
    }

    /// Whether the name is there at all: `?raw`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.bytes(name).is_some()
    }

    /// Whether the name is there and not denied: `?passing`, `?passing=1`, but not `?passing=false`.
    pub(crate) fn asks(&self, name: &str) -> bool {
        self.bytes(name).is_some_and(|value| value != b"false" && value != b"0")
    }

    /// The first value of a name.
    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_slice())
    }

    /// The first value of a name that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let value = self.bytes(name).filter(|value| !value.is_empty())?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// All values of a name.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(of, _)| of == name);
        values.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }
}

/// A broken escape stands for itself.
fn unescape(text: &str) -> Vec<u8> {
    let text = text.replace('+', " ");
    percent::decode(&text).unwrap_or_else(|| text.into_bytes())
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Query, Infallible> {
        Ok(Query::parse(parts.uri.query().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_with_and_without_values() {
        let query = Query::parse("passing&tag=a&tag=b+c&x=%ff&stale=false&&wait=");
        assert!(query.asks("passing") && query.has("stale") && !query.asks("stale") && !query.has("raw"));
        assert_eq!(query.all("tag"), ["a", "b c"]);
        assert_eq!(query.bytes("x"), Some(&b"\xff"[..]));
        assert_eq!(query.text("wait"), None);
    }
}
