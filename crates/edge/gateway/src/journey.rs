//! One request on its way to an instance and back: picked, sent, perhaps sent again.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use adsum_balance::{Class, ConnectFailure, Event, Exchange, Moment, Next, NotSent, Picked, Sent, Try};
use adsum_forward::Told;
use adsum_model::Upstream as Speech;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header, response};
use hyper::body::Body as _;
use tokio::sync::oneshot;

use crate::answer::{Answer, Carrier, Delivery, Source};
use crate::client::{self, Client, Refused, Said, Stream};
use crate::clock::Clock;
use crate::head;
use crate::payload::Tape;
use crate::refuse::Refusal;
use crate::serve::Errand;
use crate::station::{Lease, Station, Wish};
use crate::tunnel;
use crate::visit::Visit;

mod send;

pub(crate) struct Journey {
    pub(crate) client: Rc<Client>,
    pub(crate) station: Rc<Station>,
    pub(crate) parts: Parts,
    /// What goes on behind the headers.
    told: Told,
    body: Body,
    upgrade: Option<oneshot::Receiver<Stream>>,
    said: Option<Rc<Said>>,
    exchange: Exchange,
    wish: Wish,
    /// The clock is not asked again for what follows at once.
    now: Instant,
}

/// What goes to the client beside its answer.
pub(crate) struct Ways {
    /// The connection itself, if it is to become another protocol's.
    pub(crate) upgrade: Option<oneshot::Receiver<Stream>>,
    /// Over HTTP/2: what is said before.
    pub(crate) said: Option<Rc<Said>>,
}

/// What is sent of the body.
enum Body {
    Empty,
    Taped(Rc<RefCell<Tape>>),
}

/// An instance has answered.
pub(crate) struct Reply {
    head: response::Parts,
    source: Source,
    picked: Picked,
}

type Sending = Result<(response::Parts, Carrier), Event>;

impl Body {
    fn tape(&self) -> Option<&RefCell<Tape>> {
        match self {
            Body::Empty => None,
            Body::Taped(tape) => Some(tape),
        }
    }
}

impl Journey {
    pub(crate) fn new(
        client: Rc<Client>,
        errand: Errand,
        parts: Parts,
        body: client::Body,
        Ways { upgrade, said }: Ways,
        moment: Moment,
    ) -> Journey {
        let Errand { station, series, told } = errand;
        let mut exchange = station.exchange(&parts.method, &parts.headers, moment);
        let body = if body.is_end_stream() {
            Body::Empty
        } else {
            exchange.body_begins();
            Body::Taped(Tape::new(body, client.worker.settings.limits.replay, series))
        };
        let wish = head::wish(&station.pool().policy, &parts, &told, client.worker.lot());
        Journey { client, station, parts, told, body, upgrade, said, exchange, wish, now: moment.now }
    }

    /// Tries until there is an answer or nothing more to be tried.
    pub(crate) async fn run(&mut self, visit: &mut Visit) -> Result<Reply, Refusal> {
        let mut next = self.exchange.first(self.now);
        let mut held = None;
        loop {
            next = match next {
                Next::Try(Try { pause, fresh }) => {
                    if !pause.is_zero() {
                        Box::pin(tokio::time::sleep(pause)).await;
                        self.now = Instant::now();
                    }
                    let (lease, picked) = match self.pick(held.take()) {
                        Ok(found) => found,
                        Err(event) => {
                            next = self.decide(event);
                            continue;
                        }
                    };
                    match self.attempt(lease, picked, fresh, visit).await {
                        Ok(reply) => return Ok(reply),
                        Err(next) => next,
                    }
                }
                Next::Hold { until } => {
                    visit.held();
                    match Box::pin(self.station.hold(self.wish.clone(), until)).await {
                        Ok(lease) => {
                            self.now = Instant::now();
                            held = Some(lease);
                            Next::Try(Try { pause: Duration::ZERO, fresh: self.exchange.wants_fresh() })
                        }
                        Err(event) => self.decide(event),
                    }
                }
                Next::Refuse(error) => return Err(error.into()),
                Next::Forward | Next::Abandon => return Err(self.blame()),
            };
        }
    }

    /// The client has broken off its own request: what it is told, if it still listens.
    fn blame(&self) -> Refusal {
        match self.client.gate.refused() {
            Some(refused @ Refused::Offence(_)) => Refusal::Client(refused),
            Some(Refused::TooSlow) => Refusal::Client(Refused::TooSlow),
            None if self.body.tape().is_some_and(|tape| !tape.borrow().has_failed()) => {
                // It has not broken off: it was silent for too long.
                Refusal::Client(Refused::TooSlow)
            }
            None => Refusal::Gone,
        }
    }

    fn pick(&mut self, held: Option<(Lease, Picked)>) -> Result<(Lease, Picked), Event> {
        if let Some(held) = held {
            return Ok(held);
        }
        self.wish.tried.clear();
        self.wish.tried.extend_from_slice(self.exchange.tried());
        self.station
            .pick(&self.wish, self.now)
            .map_err(|reason| Event::NoPick { reason, replacing: self.station.pool().replacing })
    }

    fn decide(&mut self, event: Event) -> Next {
        self.now = Instant::now();
        self.decide_now(event)
    }

    fn decide_now(&mut self, event: Event) -> Next {
        let event = match &self.body {
            Body::Taped(tape) => {
                let tape = tape.borrow();
                if !tape.is_whole() {
                    self.exchange.body_spent();
                }
                if tape.has_failed() { Event::CallerGone } else { event }
            }
            Body::Empty => event,
        };
        let lot = self.client.worker.lot();
        let next = self.station.after(&mut self.exchange, event, self.now, lot);
        if let (Body::Taped(tape), true) = (&self.body, next != Next::Forward) {
            tape.borrow_mut().give_up_try();
        }
        next
    }

    /// One try with one instance.
    async fn attempt(
        &mut self,
        lease: Lease,
        picked: Picked,
        fresh: bool,
        visit: &mut Visit,
    ) -> Result<Reply, Next> {
        if lease.upstream.speech != Speech::Http {
            self.decline_upgrade();
        }
        let limits = self.exchange.begin_try(picked.seat, self.now);
        visit.tried(&lease.upstream, self.exchange.tries());
        let tape = self.body.tape();
        let patience = self.client.worker.settings.limits.body_timeout;
        let clock = Clock::new(&self.exchange, limits.answer_by, tape, patience);
        let mut alarm = self.client.alarms.take();
        let sent = {
            let sending = pin!(self.send(&lease.upstream, fresh, limits.connect_by));
            clock.watch(sending, &mut alarm).await
        };
        self.client.alarms.put(alarm);
        if let Some(whole) = tape.and_then(|tape| tape.borrow().ended()) {
            self.exchange.body_ended(whole);
        }
        match sent {
            Ok((head, carrier)) => self.answered(head, carrier, lease, picked),
            Err(event) => Err(self.failed(event, lease)),
        }
    }

    /// Only connections of HTTP/1.1 without TLS become something else.
    fn decline_upgrade(&mut self) {
        if self.upgrade.take().is_some() {
            head::remove_upgrade(&mut self.parts.headers);
        }
    }

    /// The try has come to nothing.
    fn failed(&mut self, event: Event, mut lease: Lease) -> Next {
        if self.is_of_instance(event) {
            lease.observe(Class::Technical, Instant::now());
            lease.upstream.series.failures.add(1);
        }
        drop(lease);
        self.decide(event)
    }

    /// Whether an instance is to blame, and not the client, or chance.
    fn is_of_instance(&self, event: Event) -> bool {
        if self.body.tape().is_some_and(|tape| tape.borrow().has_failed()) {
            return false;
        }
        match event {
            Event::CallerGone => false,
            Event::TryTimedOut | Event::ConnectFailed(ConnectFailure::TimedOut) => {
                !self.exchange.is_out_of_callers_time(Instant::now())
            }
            event => !is_stale(event),
        }
    }

    fn answered(
        &mut self,
        head: response::Parts,
        mut carrier: Carrier,
        mut lease: Lease,
        picked: Picked,
    ) -> Result<Reply, Next> {
        if !adsum_forward::knows_coding(&head.headers) {
            return Err(self.failed(Event::Invalid, lease));
        }
        self.now = Instant::now();
        let class = Class::of(head.status, &head.headers);
        match Class::is_told_at_end(head.status, &head.headers) {
            true => lease.answering(self.now),
            false => lease.observe(class, self.now),
        }
        lease.upstream.series.requests.count(head.status);
        if let (Carrier::Line(line), Some(rest)) = (&mut carrier, head::keep_alive(&head.headers)) {
            line.patience = line.patience.min(rest);
        }
        let retry_after = head::retry_after(&head.headers);
        let event = Event::Answered { status: head.status, class, retry_after };
        let next = match (head.status, &self.upgrade) {
            // An upgrade that nobody asked for, or not to the end yet.
            (StatusCode::SWITCHING_PROTOCOLS, upgrade) if upgrade.is_none() || !carrier.has_asked() => {
                self.decide_now(Event::Invalid)
            }
            _ => self.decide_now(event),
        };
        let idle = self.station.pool().policy.idle_timeout;
        if next != Next::Forward {
            Delivery::new(carrier, lease, idle, None).discard();
            return Err(next);
        }
        if let Body::Taped(tape) = &self.body {
            tape.borrow_mut().stop_keeping();
        }
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(self.upgraded(head, carrier, lease, picked));
        }
        // What a request over HTTP/2 came with has no room for an answer's.
        if let (Carrier::Line(line), None) = (&mut carrier, &self.said) {
            line.recycle(std::mem::take(&mut self.parts.headers));
        }
        let upload = match &self.body {
            Body::Empty => None,
            Body::Taped(tape) => Some(tape.clone()),
        };
        let delivery = Delivery::new(carrier, lease, idle, upload);
        let source = if head::is_event_stream(&head.headers) {
            let readable = !head.headers.contains_key(header::CONTENT_ENCODING);
            Source::events(delivery, &self.client.worker, readable)
        } else {
            Source::instance(delivery)
        };
        Ok(Reply { head, source, picked })
    }

    fn upgraded(&mut self, head: response::Parts, carrier: Carrier, lease: Lease, picked: Picked) -> Reply {
        if let (Some(client), Carrier::Line(instance)) = (self.upgrade.take(), carrier) {
            let websocket = head::is_websocket(&head.headers);
            let idle = self.station.pool().policy.idle_timeout;
            tunnel::join(&self.client.worker, tunnel::Ends { client, instance }, lease, websocket, idle);
        }
        Reply { head, source: Source::Own(None), picked }
    }

    /// The cookie that keeps the client with its instance, when it has none that does.
    fn cookie(&self, picked: Picked, visit: &Visit) -> Option<HeaderValue> {
        let pool = self.station.pool();
        let name = pool.policy.sticky.as_ref().filter(|_| !picked.kept)?;
        let upstream = visit.upstream.as_ref()?;
        adsum_forward::sticky_cookie(name, upstream.instance.as_str(), self.client.door.tls)
    }
}

impl Reply {
    /// What the client gets.
    pub(crate) fn into_response(self, journey: &Journey, mut visit: Visit) -> Response<Answer> {
        let Reply { mut head, source, picked } = self;
        let cookie = journey.cookie(picked, &visit);
        head::to_client(&mut head, &journey.client, &visit, cookie);
        visit.answered(head.status);
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            visit.complete();
        }
        Response::from_parts(head, Answer::new(source, visit))
    }
}

/// A connection that was found closed says nothing of the instance.
fn is_stale(event: Event) -> bool {
    matches!(event, Event::NotSent(NotSent::Closed) | Event::Lost { sent: Sent::Nothing, reused: true })
}
