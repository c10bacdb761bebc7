//! Client tokens: `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header), quoted or not.

use hyper::HeaderMap;

use super::Refusal;
use crate::limits;

/// The token of a request, if it has one.
pub(crate) fn of(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let fits = (1..=limits::TOKEN).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_graphic());
    if fits && !bare.contains('"') {
        return Ok(Some(bare.to_string()));
    }
    let shown: String = value.as_bytes().escape_ascii().to_string().chars().take(80).collect();
    Err(Refusal::bad(format!(
        "Idempotency-Key '{shown}' is not taken: give 1 to {} visible characters, such as a UUID",
        limits::TOKEN
    )))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn token(value: &[u8]) -> Option<Option<String>> {
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", HeaderValue::from_bytes(value).unwrap());
        of(&headers).ok()
    }

    #[test]
    fn a_token_is_the_same_quoted_or_not() {
        assert_eq!(token(b"8e03978e"), Some(Some("8e03978e".to_string())));
        assert_eq!(token(b"\"8e03978e\""), token(b"8e03978e"));
        assert_eq!(of(&HeaderMap::new()), Ok(None));
        for bad in [&b""[..], b"\"\"", b"a b", b"a\"b", b"\xff", "x".repeat(256).as_bytes()] {
            assert_eq!(token(bad), None, "{}", bad.escape_ascii());
        }
    }
}
