//! The requests of an HTTP/2 connection, each with its answer.
//!
//! Each stream has a window of its own, so that a client that reads its connection, and answers each PING, can still leave
//! any of them unread for ever. Such a stream is reset.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::{Body as _, Frame};

use super::body::{Body, Inflow};
use super::said::Said;
use super::{Client, Way};
use crate::answer::{Answer, Cut};
use crate::patience::Watch;
use crate::serve::{self, Begun};

/// What is of a connection, and has no place in HTTP/2 (RFC 9113, 8.2.2).
const HOPS: [HeaderName; 6] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Why a stream has no end in order.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Http2(#[from] h2::Error),
    #[error("its client has reset it: {0}")]
    Reset(Reason),
    #[error(transparent)]
    Cut(#[from] Cut),
    #[error("nobody takes the answer")]
    Untaken,
}

/// An answer's body on its way to the client.
struct Outflow {
    body: Answer,
    stream: SendStream<Bytes>,
    /// The next piece, and whether it is the last one. It waits for room.
    piece: Option<(Bytes, bool)>,
    waits: Watch,
    patience: Duration,
}

pub(super) fn begin(client: &Rc<Client>, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
    let to_head = request.method() == Method::HEAD;
    let said = Rc::<Said>::default();
    let begun = serve::begin(client, taken(request, &said), Way::Http2(said.clone()));
    // Large, and moved about by whoever runs it.
    let answered = Box::pin(answer(client.clone(), begun, said, to_head, respond));
    tokio::task::spawn_local(answered);
}

async fn answer(
    client: Rc<Client>,
    begun: Begun,
    said: Rc<Said>,
    to_head: bool,
    mut respond: SendResponse<Bytes>,
) {
    // Nothing that is large is taken apart where it is awaited: the task would have room for it twice.
    let answered = until_answered(begun, &said, &mut respond).await;
    let mut outflow = match answered.and_then(|response| send(&client, response, to_head, &mut respond)) {
        Ok(outflow) => outflow,
        Err(lost) => return give_up(&client, &lost, &mut respond),
    };
    let Some(outflow) = &mut outflow else { return };
    if let Err(lost) = poll_fn(|cx| outflow.poll_sent(cx)).await {
        give_up(&client, &lost, &mut respond);
    }
}

fn give_up(client: &Client, lost: &Lost, respond: &mut SendResponse<Bytes>) {
    tracing::debug!(peer = %client.peer, %lost, "a client's request has ended early");
    respond.send_reset(lost.reason());
}

/// The request with its body as whoever sends it on takes it.
fn taken(request: Request<RecvStream>, said: &Rc<Said>) -> Request<Body> {
    let (parts, stream) = request.into_parts();
    let body = match stream.is_end_stream() {
        true => Body::Empty,
        false => Body::Stream(Box::new(Inflow::new(stream, &parts.headers, said))),
    };
    Request::from_parts(parts, body)
}

/// Has a request answered, unless its client takes it back before.
async fn until_answered(
    begun: Begun,
    said: &Said,
    respond: &mut SendResponse<Bytes>,
) -> Result<Response<Answer>, Lost> {
    let mut answered = pin!(begun.answer());
    poll_fn(|cx| {
        let outcome = answered.as_mut().poll(cx);
        said.hear(cx.waker(), |head| respond.send_informational(head));
        if let Poll::Ready(response) = outcome {
            return Poll::Ready(Ok(response));
        }
        let reset = ready!(respond.poll_reset(cx))?;
        Poll::Ready(Err(Lost::Reset(reset)))
    })
    .await
}

/// Sends the head of an answer. What is left to be sent is its body, if it has one.
fn send(
    client: &Client,
    response: Response<Answer>,
    to_head: bool,
    respond: &mut SendResponse<Bytes>,
) -> Result<Option<Outflow>, Lost> {
    let (mut head, mut body) = response.into_parts();
    suit(&mut head.headers, client);
    let has_none = to_head || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&head.status);
    if head.status == StatusCode::NO_CONTENT {
        // Nothing may be said of a length (RFC 9110, 8.6).
        head.headers.remove(header::CONTENT_LENGTH);
    }
    let is_whole = has_none || body.is_end_stream();
    if !is_whole
        && !head.headers.contains_key(header::CONTENT_LENGTH)
        && let Some(length) = body.size_hint().exact()
    {
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let stream = respond.send_response(Response::from_parts(head, ()), is_whole)?;
    if is_whole {
        body.complete();
        return Ok(None);
    }
    let patience = client.worker.settings.limits.write_timeout;
    Ok(Some(Outflow { body, stream, piece: None, waits: Watch::default(), patience }))
}

/// Makes of an answer's headers what HTTP/2 takes.
fn suit(headers: &mut HeaderMap, client: &Client) {
    if headers.keys().any(|name| HOPS.contains(name)) {
        HOPS.iter().for_each(|name| drop(headers.remove(name)));
    }
    if !headers.contains_key(header::DATE) {
        let date = HeaderValue::from_bytes(&client.worker.date.now()).expect("a date is ASCII");
        headers.insert(header::DATE, date);
    }
}

impl Outflow {
    /// Ready when all of it has been handed over, or its client has taken it back.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        let sent = match self.poll(cx) {
            Poll::Pending => self.poll_lost(cx).map(Err),
            ended @ Poll::Ready(_) => ended,
        };
        if matches!(sent, Poll::Ready(Err(_))) {
            self.body.break_off();
        }
        sent
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        loop {
            if ready!(self.poll_piece(cx))? {
                return Poll::Ready(Ok(()));
            }
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose()? else {
                self.stream.send_data(Bytes::new(), true)?;
                return Poll::Ready(Ok(()));
            };
            match frame.into_data() {
                Ok(data) => self.put(data, self.body.is_end_stream())?,
                Err(frame) => return Poll::Ready(self.end(frame)),
            }
            if self.piece.is_none() && self.body.is_end_stream() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Hands over what there is of a piece, part by part as there is room: what h2 has more of than that, nobody watches.
    /// Whether it was the last one.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Lost>> {
        while self.piece.is_some() {
            let room = ready!(self.poll_room(cx))?;
            let Some((mut data, last)) = self.piece.take() else { break };
            let part = data.split_to(room.min(data.len()));
            let ends = last && data.is_empty();
            self.stream.send_data(part, ends)?;
            if ends {
                return Poll::Ready(Ok(true));
            }
            if !data.is_empty() {
                self.put(data, last)?;
            }
        }
        Poll::Ready(Ok(false))
    }

    /// An empty piece needs no room. Of the connection's window it gets no more than its stream's own lets it use at once, so
    /// that one that waits for its client keeps nothing from others.
    fn put(&mut self, data: Bytes, last: bool) -> Result<(), Lost> {
        if data.is_empty() {
            return Ok(self.stream.send_data(data, last)?);
        }
        self.stream.reserve_capacity(data.len());
        self.piece = Some((data, last));
        Ok(())
    }

    /// Fields behind the body.
    fn end(&mut self, frame: Frame<Bytes>) -> Result<(), Lost> {
        self.stream.reserve_capacity(0);
        match frame.into_trailers() {
            Ok(trailers) => self.stream.send_trailers(trailers)?,
            Err(_) => self.stream.send_data(Bytes::new(), true)?,
        }
        Ok(())
    }

    /// How much can be handed over. However little it is, the client takes something.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Lost>> {
        loop {
            let room = self.stream.capacity();
            if room > 0 {
                self.waits.has_come();
                return Poll::Ready(Ok(room));
            }
            match self.stream.poll_capacity(cx) {
                Poll::Ready(Some(room)) => drop(room?),
                Poll::Ready(None) => return Poll::Ready(Err(h2::Error::from(Reason::CANCEL).into())),
                Poll::Pending => {
                    ready!(self.waits.poll_for(self.patience, cx));
                    return Poll::Ready(Err(Lost::Untaken));
                }
            }
        }
    }

    /// Ready when the client has reset the stream, or the connection has gone.
    fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<Lost> {
        self.stream.poll_reset(cx).map(|reset| reset.map_or_else(Lost::from, Lost::Reset))
    }
}

impl Lost {
    /// What the client is told.
    fn reason(&self) -> Reason {
        match self {
            Lost::Untaken | Lost::Reset(_) => Reason::CANCEL,
            Lost::Http2(_) | Lost::Cut(_) => Reason::INTERNAL_ERROR,
        }
    }
}
