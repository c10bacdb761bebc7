//! `Accept: text/event-stream` on what blocks: an event each time the answer is another one.
//!
//! ```text
//! id: 17                          the index of the answer, or its hash
//! data: [{"Node": ...}]           the answer as it is without a stream; null where that is a 404
//! ```
//!
//! A stream is a client that asks again and again: it waits by the same means as a blocking query, and compares answers
//! as [`unchanged`](super::unchanged) does. One that was cut goes on after its `Last-Event-ID`.
//!
//! Invariants:
//! - Between two events a stream has a fingerprint in memory, and no answer.
//! - Nothing is asked before the client has taken what came before: whoever is slow skips answers, and never the last.
//! - Each stream has passed the guard; there are [`limits::STREAMS`] at a time, and all end when the face closes.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode, Uri};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::answer::Refusal;
use super::unchanged;
use crate::closing::Closing;
use crate::limits;
use crate::own::events::accepts_stream;
use crate::own::sse::{self, Source};
use crate::query::Query;

/// What blocks.
const PATHS: [&str; 6] =
    ["/v1/catalog/", "/v1/health/", "/v1/kv/", "/v1/agent/service/", "/v1/session/", "/v1/event/list"];

/// Room for streams.
#[derive(Clone)]
pub(crate) struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Streams {
        Streams(Arc::new(Semaphore::new(limits::STREAMS)))
    }
}

pub(crate) async fn hold(State(streams): State<Streams>, request: Request, next: Next) -> Response {
    let blocks = PATHS.iter().any(|path| request.uri().path().starts_with(path));
    if !blocks || request.method() != Method::GET || !accepts_stream(request.headers()) {
        return next.run(request).await;
    }
    begin(&streams, request.into_parts().0, next).await.unwrap_or_else(IntoResponse::into_response)
}

/// Answers whatever is no success at once, as it is without a stream.
async fn begin(streams: &Streams, parts: Parts, next: Next) -> Result<Response, Refusal> {
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    if query.has("raw") {
        return Err(Refusal::bad("a stream tells JSON: leave ?raw out"));
    }
    let place = streams.0.clone().try_acquire_owned().map_err(|_| {
        let text = format!("there are {} streams already: end some", limits::STREAMS);
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text)
    })?;
    let resumed = resumed(&parts.headers)?;
    let closing = parts.extensions.get::<Closing>().cloned().unwrap_or_default();
    let asker = Asker::new(parts, next);
    let mut stream = Stream {
        asker,
        mark: resumed,
        known: None,
        first: Some(sse::HEARTBEAT.into()),
        closing,
        _place: place,
    };
    if stream.mark.is_none() {
        let answer = stream.asker.ask("").await;
        if answer.mark().is_none() {
            return Ok(answer.into_response());
        }
        stream.first = stream.take(&answer);
    }
    Ok(sse::response(stream))
}

/// Where a stream that was cut goes on.
fn resumed(headers: &HeaderMap) -> Result<Option<Mark>, Refusal> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let id = id.to_str().unwrap_or("?");
    let is_id = !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let wrong = || Refusal::bad(format!("Last-Event-ID '{id}' is none of ours: leave it out to begin anew"));
    is_id.then(|| Some(Mark(id.to_string()))).ok_or_else(wrong)
}

/// The index or the hash of an answer, as its header has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark(String);

struct Stream {
    asker: Asker,
    /// Of what the client knows.
    mark: Option<Mark>,
    /// The fingerprint of the same.
    known: Option<u128>,
    /// What is told before anything is asked.
    first: Option<String>,
    closing: Closing,
    _place: OwnedSemaphorePermit,
}

impl Source for Stream {
    async fn next(&mut self) -> Option<String> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let mut closing = self.closing.clone();
        tokio::select! {
            told = self.wait() => told,
            () = closing.closed() => None,
        }
    }
}

impl Stream {
    /// The next event, or a sign of life; none when there is nothing more to be had.
    async fn wait(&mut self) -> Option<String> {
        let asked = Instant::now();
        let Some(Mark(mark)) = &self.mark else { return None };
        let wait = limits::HEARTBEAT.as_millis();
        let since = format!("{}={mark}&wait={wait}ms", self.asker.by);
        let answer = self.asker.ask(&since).await;
        if answer.mark().is_none() {
            let failed =
                Failed { status: answer.status.as_u16(), text: String::from_utf8_lossy(&answer.body) };
            (self.mark, self.first) = (None, None);
            return Some(sse::message(Some("failed"), None, &failed));
        }
        let is_later = answer.mark() != self.mark;
        if let Some(event) = self.take(&answer) {
            return Some(event);
        }
        if !is_later {
            // What answers sooner than it was asked to is not asked in a circle.
            tokio::time::sleep_until(asked + limits::HEARTBEAT).await;
        }
        Some(sse::HEARTBEAT.into())
    }

    /// Takes in an answer; an event when it is another one.
    fn take(&mut self, answer: &Answer) -> Option<String> {
        let print = unchanged::print_of(&answer.body);
        let mark = answer.mark();
        // One that goes on where it was cut knows the answer, if not its fingerprint.
        let is_known = self.known.map_or(self.mark == mark, |known| known == print);
        (self.known, self.mark) = (Some(print), mark);
        let Mark(id) = self.mark.as_ref().filter(|_| !is_known)?;
        Some(answer.event(id))
    }
}

/// Why a stream ends before its client does.
#[derive(Serialize)]
struct Failed<'a> {
    status: u16,
    text: std::borrow::Cow<'a, str>,
}

/// The same question again and again.
struct Asker {
    parts: Parts,
    /// The query without what says since when.
    rest: String,
    /// What says it.
    by: &'static str,
    next: Next,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Asker {
    fn new(mut parts: Parts, next: Next) -> Asker {
        // Most of a head is of no use to those who answer.
        parts.headers.clear();
        let by = if parts.uri.path().starts_with("/v1/agent/") { "hash" } else { "index" };
        let since = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or_default();
            !pair.is_empty() && !["index", "hash", "wait"].contains(&name)
        };
        let rest: Vec<&str> = parts.uri.query().unwrap_or_default().split('&').filter(since).collect();
        let rest = rest.join("&");
        Asker { parts, rest, by, next }
    }

    async fn ask(&mut self, more: &str) -> Answer {
        let query = [self.rest.as_str(), more].into_iter().filter(|part| !part.is_empty());
        let query = query.collect::<Vec<_>>().join("&");
        let uri: Uri = format!("{}?{query}", self.parts.uri.path())
            .parse()
            .expect("parts of a target that was understood");
        let mut parts = self.parts.clone();
        parts.uri = uri;
        let response = self.next.clone().run(Request::from_parts(parts, Body::empty())).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("these answers are made before they are sent");
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

impl Answer {
    /// None of an answer that is none, but for the key that is not there, which may come.
    fn mark(&self) -> Option<Mark> {
        let is_told = matches!(self.status, StatusCode::OK | StatusCode::NOT_FOUND);
        let header = |name: &str| self.headers.get(name).filter(|_| is_told);
        let mark = header("x-consul-contenthash").or_else(|| header("x-consul-index"))?;
        mark.to_str().ok().map(|mark| Mark(mark.to_string()))
    }

    fn event(&self, id: &str) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let text = if self.status == StatusCode::NOT_FOUND { "null" } else { &*text };
        let data: String = text.lines().map(|line| format!("data: {line}\n")).collect();
        format!("id: {id}\n{data}\n")
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (self.status, self.headers, self.body).into_response()
    }
}
