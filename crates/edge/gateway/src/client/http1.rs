//! Serves the requests of an HTTP/1 connection, one after the other.
//!
//! One task does all of it: a request and its answer are polled from here, and go when their client goes.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use adsum_framing::{Answering, Extent, RequestHead};
use bytes::BytesMut;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version, header, response};
use hyper::body::Body as _;
use hyper::ext::ReasonPhrase;
use tokio::sync::oneshot;

use super::body::{Body, Upload};
use super::wire::{Asked, Mouth, Wire};
use super::{Client, Refused, Stream, Way};
use crate::answer::Answer;
use crate::head;
use crate::outlet::{Outlet, Stuck};
use crate::serve;
use crate::turn::Turn;

struct Connection {
    client: Rc<Client>,
    wire: Rc<RefCell<Wire>>,
    outlet: Outlet,
}

/// What of a request decides how it is answered.
#[derive(Clone, Copy)]
struct Terms {
    is_http_11: bool,
    to_head: bool,
    takes_trailers: bool,
    keeps: bool,
}

/// Is over a while after the gateway stops: who rests until then is not waited for.
struct Stopped<F> {
    stopped: F,
    is_over: bool,
}

/// `first` was read to see what the client speaks.
pub(super) async fn serve(stream: Stream, first: BytesMut, client: Rc<Client>) {
    let wire = Wire::new(stream, first, client.gate.clone(), &client.worker.settings.limits);
    let stopped = pin!(super::stopped(&client.worker));
    let stopped = Stopped { stopped, is_over: false };
    let wire = Rc::new(RefCell::new(wire));
    let connection = Connection { client: client.clone(), wire, outlet: Outlet::default() };
    if let Err(error) = connection.run(stopped).await {
        tracing::debug!(peer = %client.peer, %error, "a client's connection has ended early");
    }
}

impl Connection {
    async fn run<F: Future<Output = ()>>(mut self, mut stopped: Stopped<Pin<&mut F>>) -> io::Result<()> {
        loop {
            let head = match poll_fn(|cx| self.poll_asked(&mut stopped, cx)).await? {
                Asked::Request(head) => head,
                Asked::Refused(refused) => return self.refuse(refused).await,
                Asked::Nothing => return self.close().await,
            };
            let terms = Terms::of(&head);
            let (accept, accepted) = head.offers_upgrade.then(oneshot::channel).unzip();
            let response = self.ask(head, accepted).await?;
            let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            let keeps = self.answer(terms, response).await?;
            if switches {
                return self.hand_over(accept);
            }
            if !keeps {
                return if terms.keeps { self.end().await } else { self.close().await };
            }
        }
    }

    fn poll_asked<F: Future<Output = ()>>(
        &mut self,
        stopped: &mut Stopped<Pin<&mut F>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Asked>> {
        let mut wire = self.wire.borrow_mut();
        match wire.poll_asked(cx) {
            // A request may be on its way already: closed now, the connection would answer it by a reset.
            Poll::Pending if stopped.poll(cx).is_ready() && !wire.is_within_head() => {
                Poll::Ready(Ok(Asked::Nothing))
            }
            asked => asked,
        }
    }

    /// Has a request answered, unless its client goes before.
    async fn ask(
        &mut self,
        head: RequestHead,
        accepted: Option<oneshot::Receiver<Stream>>,
    ) -> io::Result<Response<Answer>> {
        let request = self.request(head);
        let mut answered = pin!(serve::begin(&self.client, request, Way::Http1(accepted)).answer());
        poll_fn(|cx| {
            if let Poll::Ready(response) = answered.as_mut().poll(cx) {
                return Poll::Ready(Ok(response));
            }
            if let Poll::Ready(Err(error)) = self.poll_interim(cx) {
                return Poll::Ready(Err(error));
            }
            self.wire.borrow_mut().poll_gone(cx).map(Err)
        })
        .await
    }

    fn request(&self, head: RequestHead) -> Request<Body> {
        let wire = self.wire.borrow();
        let body = match wire.has_body() {
            true => Body::Upload(Upload { wire: Rc::downgrade(&self.wire), request: wire.request() }),
            false => Body::Empty,
        };
        let mut request = Request::new(body);
        *request.method_mut() = head.method;
        *request.uri_mut() = head.uri;
        *request.version_mut() = head.version;
        *request.headers_mut() = head.headers;
        request
    }

    /// Writes what is said before the answer.
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.outlet.poll_out(&mut Mouth(&self.wire), cx))?;
            self.client.gate.hear_interim(|interim| self.outlet.outgoing.say(interim));
            if self.outlet.outgoing.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Writes an answer to its end, unless its client goes before. Whether the connection can be used again.
    async fn answer(&mut self, terms: Terms, response: Response<Answer>) -> io::Result<bool> {
        let (mut head, mut body) = response.into_parts();
        let (mut keeps, mut turn) = (None, Turn::default());
        poll_fn(|cx| {
            if keeps.is_none() {
                keeps = Some(self.begin_answer(terms, &head, &mut body, cx));
            }
            ready!(turn.poll(cx));
            if let Poll::Ready(written) = self.outlet.poll_write(&mut Mouth(&self.wire), &mut body, cx) {
                return Poll::Ready(written.map_err(io::Error::from));
            }
            self.wire.borrow_mut().poll_gone(cx).map(Err)
        })
        .await
        .inspect_err(|_| self.tell_of_cut())?;
        // All of it has been written, whatever its instance has still to say.
        body.complete();
        drop(body);
        let is_read = poll_fn(|cx| Poll::Ready(self.is_read(cx))).await;
        self.wire.borrow_mut().rest(std::mem::take(&mut head.headers));
        Ok(keeps.unwrap_or_default() && is_read)
    }

    /// Whether the body has come to its end, or does so now. Not if somebody reads it still.
    fn is_read(&self, cx: &mut Context<'_>) -> bool {
        let mut wire = self.wire.borrow_mut();
        !wire.has_body() || Rc::weak_count(&self.wire) == 0 && wire.drain(cx)
    }

    fn begin_answer(
        &mut self,
        terms: Terms,
        head: &response::Parts,
        body: &mut Answer,
        cx: &mut Context<'_>,
    ) -> bool {
        self.wire.borrow_mut().answered();
        // Somebody may read it still: nobody can promise that there will be a next request.
        let is_unwanted = !self.is_read(cx);
        self.client.gate.hear_interim(|interim| self.outlet.outgoing.say(interim));
        let marks = head::marks(&self.client, body.visit()).fields();
        let answering = Answering {
            is_http_11: terms.is_http_11,
            to_head: terms.to_head,
            takes_trailers: terms.takes_trailers,
            status: head.status,
            reason: head.extensions.get::<ReasonPhrase>().map(ReasonPhrase::as_bytes),
            headers: &head.headers,
            further: &marks,
            date: &self.client.worker.date.now(),
            keeps: terms.keeps && !is_unwanted && !says_close(&head.headers),
        };
        let keeps = self.outlet.outgoing.answer(&answering, extent(body));
        if !self.outlet.outgoing.has_more() {
            body.complete();
        }
        keeps
    }

    /// Answers what is no request. What comes behind it is never looked at.
    async fn refuse(mut self, refused: Refused) -> io::Result<()> {
        let terms = Terms { is_http_11: true, to_head: false, takes_trailers: false, keeps: false };
        let response = serve::rejected(&self.client, refused);
        self.answer(terms, response).await?;
        self.close().await
    }

    /// The connection goes on as what its client has asked for.
    fn hand_over(self, accept: Option<oneshot::Sender<Stream>>) -> io::Result<()> {
        let wire = Rc::into_inner(self.wire).map(RefCell::into_inner);
        if let (Some(accept), Some(wire)) = (accept, wire) {
            // Whoever waits for it may have gone.
            let _ = accept.send(wire.into_stream());
        }
        Ok(())
    }

    /// Where a close is the end of an answer, the client must not take a part for the whole.
    fn tell_of_cut(&self) {
        if self.outlet.outgoing.ends_by_close() {
            self.wire.borrow().reset();
        }
    }

    /// Closes the connection of a client that would go on, and may be sending already.
    async fn end(self) -> io::Result<()> {
        self.wire.borrow_mut().goes_on();
        self.close().await
    }

    async fn close(self) -> io::Result<()> {
        if let Some(wire) = Rc::into_inner(self.wire) {
            wire.into_inner().close().await;
        }
        Ok(())
    }
}

impl<F: Future<Output = ()>> Stopped<Pin<&mut F>> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_over {
            ready!(self.stopped.as_mut().poll(cx));
            self.is_over = true;
        }
        Poll::Ready(())
    }
}

impl Terms {
    fn of(head: &RequestHead) -> Terms {
        Terms {
            is_http_11: head.version == Version::HTTP_11,
            to_head: head.method == Method::HEAD,
            takes_trailers: head.takes_trailers,
            keeps: head.keeps,
        }
    }
}

impl<E> From<Stuck<E>> for io::Error
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn from(stuck: Stuck<E>) -> io::Error {
        match stuck {
            Stuck::Io(error) => error,
            Stuck::Body(error) => io::Error::other(error),
            Stuck::WrongLength => io::Error::other("an answer is not as long as was said"),
        }
    }
}

fn extent(body: &Answer) -> Extent {
    match body.size_hint().exact() {
        _ if body.is_end_stream() => Extent::Nothing,
        Some(length) => Extent::Length(length),
        None => Extent::Chunked,
    }
}

/// Whether the connection ends with an answer of these headers.
fn says_close(headers: &HeaderMap) -> bool {
    headers.get(header::CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}
