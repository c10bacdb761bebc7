//! A blocking query that is woken by what changes nothing of its answer goes on waiting.
//!
//! The index of an answer is that of a whole service, or of all nodes; the answer may show a part of it (`?passing`,
//! `?tag=`, `?filter=`). Who asks with the index of now has the answer of now, so that answer is what the next one is
//! compared with, but for `CreateIndex` and `ModifyIndex`, which are the index once more:
//!
//! ```text
//! client: index 7 -> asked without index: index 7, answer A -> asked with 7 ... index 9, answer A
//!                                                           -> asked with 9 ... index 12, answer B -> client
//! ```
//!
//! Invariants:
//! - Whoever asks with an index that is not of now is answered at once, as if nobody stood here.
//! - All of it takes no longer than the client's `wait`, and what the handler adds to that.
//! - A client that waits holds no answer in memory.

use std::time::Duration;

use adsum_model::parse_duration;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Uri};
use tokio::time::Instant;

use crate::fingerprint::fingerprint;
use crate::limits;

/// The handlers know 0 as "by default".
const SHORTEST: Duration = Duration::from_millis(1);

pub(crate) async fn hold(request: Request, next: Next) -> Response {
    match Asked::of(request.method(), request.uri()) {
        Some(asked) => asked.hold(request.into_parts().0, next).await,
        None => next.run(request).await,
    }
}

/// A blocking query.
struct Asked {
    path: String,
    /// Without index and wait.
    rest: String,
    index: u64,
    wait: Duration,
}

/// What was answered.
struct Answer {
    parts: hyper::http::response::Parts,
    body: Bytes,
}

impl Asked {
    /// None of what blocks on nothing, and of what cannot be understood: its handler says so.
    fn of(method: &Method, uri: &Uri) -> Option<Asked> {
        let path = uri.path();
        if method != Method::GET || !drops_indexes(path) {
            return None;
        }
        let (mut index, mut wait, mut rest) = (None, limits::WAIT, Vec::new());
        for pair in uri.query()?.split('&') {
            match pair.split_once('=') {
                Some(("index", text)) if index.is_none() => index = Some(text.parse().ok()?),
                Some(("wait", text)) => wait = parse_duration(text).ok()?.min(limits::LONGEST_WAIT),
                _ => rest.push(pair),
            }
        }
        let wait = if wait.is_zero() { limits::WAIT } else { wait };
        let (path, rest) = (path.to_string(), rest.join("&"));
        Some(Asked { path, rest, index: index.filter(|index| *index > 0)?, wait })
    }

    async fn hold(self, parts: Parts, next: Next) -> Response {
        let deadline = Instant::now() + self.wait;
        let now = self.ask(&parts, &next, "").await;
        if now.parts.status != StatusCode::OK || now.index() > self.index {
            return now.into_response();
        }
        let known = print_of(&now.body);
        drop(now);
        let mut index = self.index;
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(SHORTEST);
            // Rounded up, so that nobody is answered before his time.
            let wait = left.as_millis() + 1;
            let answer = self.ask(&parts, &next, &format!("index={index}&wait={wait}ms")).await;
            let is_same = answer.parts.status == StatusCode::OK && print_of(&answer.body) == known;
            // What does not go forward has waited for long enough, or may not wait any more.
            if !is_same || answer.index() <= index || left == SHORTEST {
                return answer.into_response();
            }
            index = answer.index();
        }
    }

    async fn ask(&self, parts: &Parts, next: &Next, more: &str) -> Answer {
        let query = [self.rest.as_str(), more].into_iter().filter(|part| !part.is_empty());
        let uri = format!("{}?{}", self.path, query.collect::<Vec<_>>().join("&"));
        let mut parts = parts.clone();
        parts.uri = uri.parse().expect("parts of a target that was understood");
        let (parts, body) = next.clone().run(Request::from_parts(parts, Body::empty())).await.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("these answers are made before they are sent");
        Answer { parts, body }
    }
}

impl Answer {
    fn index(&self) -> u64 {
        let index = self.parts.headers.get("x-consul-index");
        index.and_then(|index| index.to_str().ok()?.parse().ok()).unwrap_or(0)
    }

    fn into_response(self) -> Response {
        Response::from_parts(self.parts, Body::from(self.body))
    }
}

/// Whether the indexes in an answer are not of what it shows alone.
fn drops_indexes(path: &str) -> bool {
    ["/v1/catalog/", "/v1/health/"].iter().any(|prefix| path.starts_with(prefix))
}

/// Of an answer as it is compared, without its indexes where those say nothing.
pub(super) fn print_at(path: &str, body: &[u8]) -> u128 {
    if drops_indexes(path) { print_of(body) } else { fingerprint(&[body]) }
}

/// Of an answer without its indexes.
fn print_of(body: &[u8]) -> u128 {
    fingerprint(&told(body))
}

/// The pieces of an answer between its indexes.
fn told(body: &[u8]) -> Vec<&[u8]> {
    const KEY: &[u8] = b"Index\":";
    let (mut pieces, mut begin) = (Vec::new(), 0);
    let mut rest = body.windows(KEY.len()).enumerate();
    while let Some((at, _)) = rest.find(|(_, window)| *window == KEY) {
        let end = at + KEY.len();
        let number = body[end..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b' ').count();
        if is_index(&body[..at]) {
            pieces.push(&body[begin..end]);
            begin = end + number;
        }
    }
    pieces.push(&body[begin..]);
    pieces
}

/// Whether what comes before `Index":` makes a key of it. Within a text a quotation mark has a backslash before it.
fn is_index(before: &[u8]) -> bool {
    let key = |name: &[u8]| before.strip_suffix(name).is_some_and(|before| !before.ends_with(b"\\"));
    key(b"\"Modify") || key(b"\"Create")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_has_no_indexes_of_its_own() {
        let told = |body: &str| print_of(body.as_bytes());
        let body = r#"[{"ID":"a","CreateIndex":7,"ModifyIndex":9,"Port":80}]"#;
        assert_eq!(told(body), told(&body.replace(":7", ":12").replace(":9", ":100")));
        assert_eq!(told("{\"ModifyIndex\": 7\n}"), told("{\"ModifyIndex\": 12\n}"));
        assert_ne!(told(body), told(&body.replace("80", "81")));
        assert_ne!(told(r#"{"LockIndex":7}"#), told(r#"{"LockIndex":8}"#));
        assert_ne!(told(r#"{"Output":"\"ModifyIndex\":7"}"#), told(r#"{"Output":"\"ModifyIndex\":8"}"#));
    }

    fn asked(uri: &str) -> Option<(String, u64, Duration)> {
        let asked = Asked::of(&Method::GET, &uri.parse().unwrap())?;
        Some((asked.rest, asked.index, asked.wait))
    }

    #[test]
    fn what_blocks_is_taken_apart_and_the_rest_stays_as_it_is() {
        let path = "/v1/health/service/web?passing&index=7&wait=10s&filter=a%20b";
        assert_eq!(asked(path), Some(("passing&filter=a%20b".to_string(), 7, Duration::from_secs(10))));
        let longest = asked("/v1/catalog/nodes?index=1&wait=9h").unwrap();
        assert_eq!((longest.0.as_str(), longest.2), ("", limits::LONGEST_WAIT));
        assert_eq!(asked("/v1/catalog/nodes?index=1&wait=0s").unwrap().2, limits::WAIT);
    }

    #[test]
    fn what_does_not_block_and_what_is_wrong_is_left_to_its_handler() {
        for path in ["", "?passing", "?index=0", "?index=", "?index=-1", "?index=x", "?index=1&wait=x"] {
            assert_eq!(asked(&format!("/v1/health/service/web{path}")), None, "{path}");
        }
        assert_eq!(asked("/v1/kv/a?index=7"), None);
        assert!(Asked::of(&Method::PUT, &"/v1/catalog/register?index=7".parse().unwrap()).is_none());
    }
}
