//! One try on the wire: a connection, the request over it, the beginning of an answer. What follows from what happened is not
//! decided here.

use std::rc::Rc;
use std::time::Instant;

use adsum_balance::{ConnectFailure, Event, NotSent, Sent};
use adsum_framing::Asking;
use adsum_model::Upstream as Speech;
use http::{HeaderMap, Request, StatusCode, Version};

use super::{Body, Journey, Sending};
use crate::answer::{Carrier, Stream};
use crate::head;
use crate::payload::{Payload, Permit};
use crate::turn::Turn;
use crate::upstream::{ConnectError, Line, Opened, Shared, StreamError, Unanswered, Upstream};

impl Journey {
    pub(super) async fn send(
        &self,
        upstream: &Rc<Upstream>,
        fresh: bool,
        connect_by: Option<Instant>,
    ) -> Sending {
        match &upstream.speech {
            Speech::Http => {
                let line = match self.resting(upstream, fresh).await {
                    Some(line) => line,
                    // What is seldom needed is kept out of the request's own state, which is moved about.
                    None => Box::pin(self.open_line(upstream, connect_by)).await?,
                };
                self.send_line(line).await
            }
            Speech::H2c | Speech::Https(_) => {
                let reuses = self.reuses(fresh);
                if let Some(shared) = upstream.shared().filter(|_| reuses) {
                    return Box::pin(self.send_shared(shared, &upstream.speech)).await;
                }
                if let Some(line) = self.resting(upstream, fresh).await {
                    return self.send_line(line).await;
                }
                match Box::pin(upstream.connection(reuses, connect_by)).await {
                    Ok(Opened::Shared(shared)) => Box::pin(self.send_shared(shared, &upstream.speech)).await,
                    Ok(Opened::Line(line)) => self.send_line(line).await,
                    Err(error) => Err(connect_event(upstream, &error)),
                }
            }
        }
    }

    /// Whether the next try may go over a connection that has been used before.
    fn reuses(&self, fresh: bool) -> bool {
        !fresh && (self.exchange.is_repeatable() || self.client.worker.has_lease())
    }

    /// A connection that rests, if one may be used. One that a request which cannot be repeated is to use is looked at
    /// again, after all that the kernel knows has been heard.
    async fn resting(&self, upstream: &Rc<Upstream>, fresh: bool) -> Option<Box<Line>> {
        if !self.reuses(fresh) {
            return None;
        }
        let repeatable = self.exchange.is_repeatable();
        let mut line = upstream.take_resting(repeatable, self.now)?;
        if repeatable {
            return Some(line);
        }
        tokio::task::yield_now().await;
        line.is_alive().then_some(line)
    }

    async fn open_line(&self, upstream: &Rc<Upstream>, by: Option<Instant>) -> Result<Box<Line>, Event> {
        match upstream.open(by).await {
            Ok(Opened::Line(line)) => Ok(line),
            Ok(Opened::Shared(_)) => Err(Event::Invalid),
            Err(error) => Err(connect_event(upstream, &error)),
        }
    }

    async fn send_line(&self, mut line: Box<Line>) -> Sending {
        // The instance decides whether it wants the body; what it says meanwhile comes through.
        let (permit, grant) = head::expects_continue(&self.parts.headers).then(Permit::ask).unzip();
        let marked = self.marked();
        let headers = marked.as_deref().unwrap_or(&self.parts.headers);
        let further = self.told.fields();
        let asking = Asking { method: &self.parts.method, uri: &self.parts.uri, headers, further };
        let heed = |status, headers: &HeaderMap| match (status, &grant) {
            (StatusCode::CONTINUE, Some(grant)) => grant.give(),
            (StatusCode::CONTINUE, None) => {}
            // It does not know them (RFC 9110, 15.2).
            _ if self.parts.version < Version::HTTP_11 => {}
            (status, _) => self.say_early(status, headers.clone()),
        };
        match line.send(asking, self.payload(permit), self.turn(), heed).await {
            Ok(head) => Ok((head, Carrier::Line(line))),
            Err(unanswered) => Err(match unanswered {
                Unanswered::NotSent if line.reused => Event::NotSent(NotSent::Closed),
                Unanswered::NotSent => Event::Lost { sent: Sent::Nothing, reused: false },
                Unanswered::Sent(error) => {
                    tracing::debug!(%error, "an instance has not answered");
                    Event::Lost { sent: Sent::Something, reused: line.reused }
                }
                Unanswered::Invalid(error) => {
                    tracing::debug!(%error, "an instance's answer is no HTTP");
                    Event::Invalid
                }
            }),
        }
    }

    /// A request over HTTP/2 has a task of its own, which begins when its turn has come.
    fn turn(&self) -> Turn {
        if self.said.is_some() { Turn::over() } else { Turn::default() }
    }

    /// Tells the client what the instance says before its answer.
    fn say_early(&self, status: StatusCode, mut headers: HeaderMap) {
        adsum_forward::pass_early(status, &mut headers);
        match &self.said {
            Some(said) => said.say(status, headers),
            None => self.client.gate.say_interim(status, &headers),
        }
    }

    async fn send_shared(&self, mut shared: Shared, speech: &Speech) -> Sending {
        let seat = shared.sit();
        match shared.send(self.request(speech)).await {
            Ok(response) => {
                let (head, body) = response.into_parts();
                Ok((head, Carrier::Shared(Stream { body, seat })))
            }
            Err(error) => Err(match error {
                StreamError::NotSent => Event::NotSent(NotSent::Closed),
                StreamError::Refused => Event::NotSent(NotSent::RefusedStream),
                StreamError::GoneAway => {
                    shared.give_up();
                    Event::NotSent(NotSent::GoneAway)
                }
                StreamError::Lost(error) => {
                    tracing::debug!(%error, "an instance has not answered");
                    Event::Lost { sent: Sent::Something, reused: true }
                }
            }),
        }
    }

    /// What one try sends over HTTP/2.
    fn request(&self, speech: &Speech) -> Request<Payload> {
        let mut request = Request::new(self.payload(None));
        *request.method_mut() = self.parts.method.clone();
        *request.headers_mut() = self.marked().map_or_else(|| self.parts.headers.clone(), |marked| *marked);
        self.told.put(request.headers_mut());
        *request.uri_mut() = self.parts.uri.clone();
        head::suit_http2(&mut request, speech);
        request
    }

    fn payload(&self, permit: Option<Permit>) -> Payload {
        match &self.body {
            Body::Empty => Payload::Empty,
            Body::Taped(tape) => Payload::taped(tape, permit),
        }
    }

    /// The headers of a further try, which say that it is one.
    fn marked(&self) -> Option<Box<HeaderMap>> {
        let tries = self.exchange.tries();
        (tries > 1).then(|| {
            let mut headers = Box::new(self.parts.headers.clone());
            adsum_forward::mark_retry(&mut headers, tries);
            headers
        })
    }
}

fn connect_event(upstream: &Upstream, error: &ConnectError) -> Event {
    tracing::debug!(instance = %upstream.instance, endpoint = %upstream.endpoint, %error, "no connection");
    Event::ConnectFailed(match error {
        ConnectError::Refused(_) | ConnectError::Http(_) => ConnectFailure::Refused,
        ConnectError::TimedOut => ConnectFailure::TimedOut,
        ConnectError::Tls(_) => ConnectFailure::Tls,
    })
}
