//! What is remembered of a request until its answer has ended, and told then: to the counters, to the log, to the
//! client's connection.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use adsum_balance::Moment;
use adsum_forward::GatewayError;
use http::{HeaderValue, Request, StatusCode};

use crate::client::Client;
use crate::log::Line as LogLine;
use crate::metrics::RouteSeries;
use crate::upstream::Upstream;

pub(crate) struct Visit {
    client: Rc<Client>,
    pub(crate) begun: Instant,
    pub(crate) route: Option<Arc<RouteSeries>>,
    pub(crate) request_id: Option<HeaderValue>,
    /// Who has it, or had it last.
    pub(crate) upstream: Option<Rc<Upstream>>,
    pub(crate) tries: u32,
    status: StatusCode,
    error: Option<GatewayError>,
    sent: u64,
    held: bool,
    /// The last byte of the answer has been given away.
    complete: bool,
    broken_off: bool,
    /// Only when a log is kept.
    line: Option<Box<LogLine>>,
}

impl Visit {
    pub(crate) fn new<B>(client: &Rc<Client>, request: &Request<B>, moment: Moment) -> Visit {
        let line = client.worker.log.is_on().then(|| LogLine::new(client.peer, request, moment.wall));
        Visit {
            client: client.clone(),
            begun: moment.now,
            route: None,
            request_id: None,
            upstream: None,
            tries: 0,
            status: StatusCode::OK,
            error: None,
            sent: 0,
            held: false,
            complete: false,
            broken_off: false,
            line,
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn route(&mut self, route: Arc<RouteSeries>) {
        self.route = Some(route);
    }

    pub(crate) fn request_id(&mut self, id: HeaderValue) {
        self.request_id = Some(id);
    }

    pub(crate) fn held(&mut self) {
        self.held = true;
    }

    pub(crate) fn tried(&mut self, upstream: &Rc<Upstream>, tries: u32) {
        self.upstream = Some(upstream.clone());
        self.tries = tries;
    }

    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = status;
    }

    pub(crate) fn failed(&mut self, error: GatewayError) {
        self.error = Some(error);
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    /// The client has gone before it had all of the answer, though that was given away, or is yet to be.
    pub(crate) fn broken_off(&mut self) {
        self.broken_off = true;
    }

    fn is_complete(&self) -> bool {
        self.complete && !self.broken_off
    }

    fn count(&self, now: Instant) {
        let Some(route) = &self.route else { return };
        if self.is_complete() || self.status != StatusCode::OK {
            route.requests.count(self.status);
        }
        if !self.is_complete() {
            route.abandoned.add(1);
        }
        route.duration.observe(now.saturating_duration_since(self.begun));
        route.sent.add(self.sent);
        if self.tries > 1 {
            route.retries.add(u64::from(self.tries - 1));
        }
        if self.held {
            route.held.add(1);
        }
        if let Some(error) = self.error {
            route.error(error);
        }
    }

    fn log(&mut self, now: Instant) {
        let Some(mut line) = self.line.take() else { return };
        line.status = self.status;
        line.bytes = self.sent;
        line.duration = now.saturating_duration_since(self.begun);
        line.tries = self.tries;
        line.error = self.error;
        line.complete = self.is_complete();
        line.request_id = self.request_id.take();
        line.route = self.route.as_ref().map(|route| route.route.clone());
        line.instance = self.upstream.as_ref().map(|upstream| upstream.instance.to_string());
        self.client.worker.log.write(line);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let now = Instant::now();
        self.client.gate.end(now);
        self.count(now);
        self.log(now);
    }
}
