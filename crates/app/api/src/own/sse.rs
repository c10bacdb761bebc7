//! Server-sent events (WHATWG HTML 9.2).
//!
//! A stream is pulled: nothing is read from the store before the client has taken what came before, so a slow client
//! costs nothing but its place in the history. When that place has gone it is told so, and the stream ends.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, stream};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde::Serialize;

/// Something that has one text after the other to tell, none at its end.
pub(crate) trait Source: Send + 'static {
    fn next(&mut self) -> impl Future<Output = Option<String>> + Send;
}

/// Keeps the connection, and what stands between, from thinking that nobody is there.
pub(crate) const HEARTBEAT: &str = ": \n\n";

pub(crate) fn response(source: impl Source) -> Response {
    stream_of("text/event-stream", source)
}

pub(crate) fn stream_of(kind: &'static str, source: impl Source) -> Response {
    let texts = stream::unfold(source, |mut source| async {
        let text = source.next().await?;
        Some((Ok::<Bytes, Infallible>(Bytes::from(text)), source))
    });
    response_of(kind, texts)
}

pub(crate) fn response_of(
    kind: &'static str,
    pieces: impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

/// One message. The JSON of `data` has no line ends.
pub(crate) fn message(event: Option<&str>, id: Option<&str>, data: &impl Serialize) -> String {
    let data = serde_json::to_string(data).expect("our own shapes have a JSON form");
    let event = event.map_or(String::new(), |event| format!("event: {event}\n"));
    let id = id.map_or(String::new(), |id| format!("id: {id}\n"));
    format!("{event}{id}data: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_lines_and_an_empty_one() {
        assert_eq!(message(None, Some("7-1"), &"a\nb"), "id: 7-1\ndata: \"a\\nb\"\n\n");
        assert_eq!(message(Some("compacted"), None, &1), "event: compacted\ndata: 1\n\n");
    }
}
