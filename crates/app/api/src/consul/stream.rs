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
//! - Between two events a stream has a fingerprint in memory, and no answer. Events that are not written yet have
//!   [`limits::STREAM_ROOM`] together; a stream for whose event there is no room asks again when there is.
//! - Nothing is asked before the client has taken what came before: whoever is slow skips answers, and never the last.
//! - A question waits for as long as a question may; signs of life are told beside it.
//! - Each stream has passed the guard; there are [`limits::STREAMS`] at a time. When the face closes all end, and nothing
//!   is asked for any more.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode, Uri};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::answer::Refusal;
use super::unchanged;
use crate::closing::Closing;
use crate::limits;
use crate::own::events::accepts_stream;
use crate::own::sse;
use crate::query::Query;

/// What blocks.
const PATHS: [&str; 6] =
    ["/v1/catalog/", "/v1/health/", "/v1/kv/", "/v1/agent/service/", "/v1/session/", "/v1/event/list"];

/// Room for streams.
#[derive(Clone)]
pub(crate) struct Streams {
    places: Arc<Semaphore>,
    /// For events that are not written yet: a permit for each KiB.
    room: Arc<Semaphore>,
    /// Between two signs of life.
    heartbeat: Duration,
}

impl Default for Streams {
    fn default() -> Streams {
        Streams {
            places: Arc::new(Semaphore::new(limits::STREAMS)),
            room: Arc::new(Semaphore::new(limits::STREAM_ROOM / KIB)),
            heartbeat: limits::HEARTBEAT,
        }
    }
}

const KIB: usize = 1024;

impl Streams {
    /// The bytes of an event, which keep their room until they are written; how much they want when there is too little.
    fn place(&self, text: String) -> Result<Bytes, u32> {
        let wanted = text.len().div_ceil(KIB).min(limits::STREAM_ROOM / KIB) as u32;
        let room = self.room.clone().try_acquire_many_owned(wanted).map_err(|_| wanted)?;
        Ok(Bytes::from_owner(Placed { text, _room: room }))
    }

    /// Returns when there is so much room, which others may take before us.
    async fn room(&self, wanted: u32) {
        drop(self.room.acquire_many(wanted).await);
    }
}

struct Placed {
    text: String,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Placed {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
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
    let place = streams.places.clone().try_acquire_owned().map_err(|_| {
        let text = format!("there are {} streams already: end some", limits::STREAMS);
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text)
    })?;
    let mark = resumed(&parts.headers)?.unwrap_or_else(Mark::begin);
    let closing = parts.extensions.get::<Closing>().cloned().unwrap_or_default();
    let asker = Asker::new(parts, next);
    let answer = asker.ask("").await;
    if answer.mark().is_none() {
        return Ok(answer.into_response());
    }
    let (streams, first) = (streams.clone(), None);
    let (known, asking, wanted) = (None, None, None);
    let mut stream =
        Stream { streams, asker, asking, mark: Some(mark), known, wanted, first, closing, _place: place };
    stream.first = Some(stream.take(answer).unwrap_or(HEARTBEAT));
    Ok(sse::response_of("text/event-stream", stream.events()))
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

impl Mark {
    /// As no answer has it.
    fn begin() -> Mark {
        Mark("0".to_string())
    }
}

const HEARTBEAT: Bytes = Bytes::from_static(sse::HEARTBEAT.as_bytes());

struct Stream {
    streams: Streams,
    asker: Asker,
    /// The question that waits for its answer, and since when.
    asking: Option<(Instant, Asking)>,
    /// Of what the client knows; none when there is nothing more to be had.
    mark: Option<Mark>,
    /// The fingerprint of the same.
    known: Option<u128>,
    /// The room for which the last answer was too much.
    wanted: Option<u32>,
    /// What is told before anything is asked.
    first: Option<Bytes>,
    closing: Closing,
    _place: OwnedSemaphorePermit,
}

impl Stream {
    fn events(self) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
        unfold(self, |mut stream| async { Some((Ok(stream.next().await?), stream)) })
    }

    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let mut closing = self.closing.clone();
        tokio::select! {
            // Who closes has no time for answers.
            biased;
            () = closing.closed() => None,
            told = self.wait() => told,
        }
    }

    /// The next event, or a sign of life; none when there is nothing more to be had.
    async fn wait(&mut self) -> Option<Bytes> {
        let Mark(mark) = self.mark.as_ref()?;
        if let Some(wanted) = self.wanted {
            if timeout(self.streams.heartbeat, self.streams.room(wanted)).await.is_err() {
                return Some(HEARTBEAT);
            }
            self.wanted = None;
        }
        let since = || format!("{}={mark}&wait={}s", self.asker.by, limits::LONGEST_WAIT.as_secs());
        let (asked, asking) = self.asking.get_or_insert_with(|| (Instant::now(), self.asker.ask(&since())));
        let asked = *asked;
        let Ok(answer) = timeout(self.streams.heartbeat, asking).await else { return Some(HEARTBEAT) };
        self.asking = None;
        self.answered(answer, asked).await
    }

    async fn answered(&mut self, answer: Answer, asked: Instant) -> Option<Bytes> {
        if answer.mark().is_none() {
            let failed =
                Failed { status: answer.status.as_u16(), text: String::from_utf8_lossy(&answer.body) };
            self.mark = None;
            return Some(sse::message(Some("failed"), None, &failed).into());
        }
        let is_later = answer.mark() != self.mark;
        if let Some(event) = self.take(answer) {
            return Some(event);
        }
        if !is_later {
            // What answers sooner than it was asked to is not asked in a circle.
            tokio::time::sleep_until(asked + self.streams.heartbeat).await;
        }
        Some(HEARTBEAT)
    }

    /// Takes in an answer; an event when it is another one, and there is room for it.
    fn take(&mut self, answer: Answer) -> Option<Bytes> {
        let print = unchanged::print_at(self.asker.parts.uri.path(), &answer.body);
        let mark = answer.mark();
        // One that goes on where it was cut knows the answer, if not its fingerprint.
        let is_known = self.known.map_or(self.mark == mark, |known| known == print);
        let event = mark.as_ref().filter(|_| !is_known).map(|Mark(id)| answer.event(id));
        match event.map(|event| self.streams.place(event)).transpose() {
            Ok(event) => {
                (self.known, self.mark) = (Some(print), mark);
                event
            }
            Err(wanted) => {
                self.wanted = Some(wanted);
                None
            }
        }
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

type Asking = Pin<Box<dyn Future<Output = Answer> + Send>>;

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

    fn ask(&self, more: &str) -> Asking {
        let query = [self.rest.as_str(), more].into_iter().filter(|part| !part.is_empty());
        let query = query.collect::<Vec<_>>().join("&");
        let uri: Uri = format!("{}?{query}", self.parts.uri.path())
            .parse()
            .expect("parts of a target that was understood");
        let mut parts = self.parts.clone();
        parts.uri = uri;
        Box::pin(answer(self.next.clone(), Request::from_parts(parts, Body::empty())))
    }
}

/// Lets others have a turn first: one change may have a thousand streams ask, each for a large answer.
async fn answer(next: Next, request: Request) -> Answer {
    tokio::task::yield_now().await;
    let (parts, body) = next.run(request).await.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("these answers are made before they are sent");
    Answer { status: parts.status, headers: parts.headers, body }
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

#[cfg(test)]
mod tests;
