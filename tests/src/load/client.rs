//! The sending side: connections, kept or shared, and one request over one of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use super::plan::{Plan, Protocol, Shot};
use super::report::{Outcome, Record};
use crate::backend::bytes;

type Body = Full<Bytes>;

#[derive(Clone)]
pub(super) struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    kept: Mutex<Vec<http1::SendRequest<Body>>>,
    /// HTTP/2 connections by their number; made anew when one has ended.
    streams: Vec<tokio::sync::Mutex<OnceCell<http2::SendRequest<Body>>>>,
    in_flight: AtomicUsize,
}

/// How far a request has come when it failed.
enum Failure {
    Unconnected(String),
    /// Not a byte was sent: it may go another way.
    Unsent(Request<Body>),
    Broken(String),
}

impl Client {
    pub(super) fn new(plan: &Plan) -> Client {
        let count = if let Protocol::H2c(count) = plan.protocol { count } else { 0 };
        let streams = (0..count).map(|_| tokio::sync::Mutex::default()).collect();
        let shared = Shared { kept: Mutex::default(), streams, in_flight: AtomicUsize::new(0) };
        Client { shared: Arc::new(shared) }
    }

    /// One request to its end; `due` is when it was to begin.
    pub(super) async fn request(&self, plan: &Plan, number: u64, begin: Instant, due: Instant) -> Record {
        let shot = plan.shot(number);
        let mut record = Record::new(number, shot, due - begin);
        if shot.method == http::Method::POST {
            record.post = Some(plan.id(number));
        }
        let before = self.shared.in_flight.fetch_add(1, Ordering::Relaxed);
        if before < plan.most_at_once {
            let exchange = self.exchange(plan, shot, &mut record);
            let given_up = tokio::time::timeout_at((due + plan.patience).into(), exchange).await.is_err();
            if given_up {
                record.outcome = Outcome::TimedOut;
            }
        }
        self.shared.in_flight.fetch_sub(1, Ordering::Relaxed);
        record.latency = due.elapsed();
        record
    }

    async fn exchange(&self, plan: &Plan, shot: &Shot, record: &mut Record) {
        let mut request = build(plan, shot, record.post.as_deref());
        record.outcome = loop {
            match self.send(plan, request, record).await {
                Ok(outcome) => break outcome,
                Err(Failure::Unsent(again)) => {
                    record.resent += 1;
                    request = again;
                }
                Err(Failure::Unconnected(why)) => break Outcome::Unconnected(why),
                Err(Failure::Broken(why)) => break Outcome::Broken(why),
            }
        };
    }

    async fn send(
        &self,
        plan: &Plan,
        request: Request<Body>,
        record: &mut Record,
    ) -> Result<Outcome, Failure> {
        if let Protocol::H2c(count) = plan.protocol {
            let at = usize::try_from(record.number).expect("a count fits") % count;
            let mut sender = self.shared.stream(at, plan, record.resent > 0).await?;
            let response = sender.try_send_request(request).await;
            return Ok(read(response.map_err(failure)?, record).await);
        }
        let mut sender = match self.shared.kept() {
            Some(sender) => sender,
            None => connect(plan).await?,
        };
        let response = sender.try_send_request(request).await.map_err(failure)?;
        let outcome = read(response, record).await;
        if plan.protocol == Protocol::Http1 && matches!(outcome, Outcome::Answered(_)) {
            self.shared.keep(sender).await;
        }
        Ok(outcome)
    }
}

impl Shared {
    /// A kept connection that is not known to be closed; the one that was used last.
    fn kept(&self) -> Option<http1::SendRequest<Body>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(sender) = kept.pop() {
            if sender.is_ready() {
                return Some(sender);
            }
        }
        None
    }

    async fn keep(&self, mut sender: http1::SendRequest<Body>) {
        if sender.ready().await.is_ok() {
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        }
    }

    /// One that is going away takes no more requests before it is closed: the next is `fresh`.
    async fn stream(&self, at: usize, plan: &Plan, fresh: bool) -> Result<http2::SendRequest<Body>, Failure> {
        let mut cell = self.streams[at].lock().await;
        if fresh || cell.get().is_some_and(http2::SendRequest::is_closed) {
            *cell = OnceCell::new();
        }
        cell.get_or_try_init(|| connect_h2(plan)).await.cloned()
    }
}

fn build(plan: &Plan, shot: &Shot, id: Option<&str>) -> Request<Body> {
    let host = shot.host.as_deref().unwrap_or(&plan.host);
    let uri = match plan.protocol {
        Protocol::H2c(_) => format!("http://{host}{}", shot.path),
        Protocol::Http1 | Protocol::Http1Fresh => shot.path.clone(),
    };
    let mut request = Request::builder().method(shot.method.clone()).uri(uri);
    if !matches!(plan.protocol, Protocol::H2c(_)) {
        request = request.header("host", host);
    }
    if plan.protocol == Protocol::Http1Fresh {
        request = request.header("connection", "close");
    }
    if let Some(id) = id {
        request = request.header("x-post-id", id);
    }
    request.body(Full::from(bytes(shot.body))).expect("a test asks for what is possible")
}

async fn open(plan: &Plan) -> Result<TokioIo<TcpStream>, Failure> {
    let stream = TcpStream::connect(plan.target).await;
    let stream = stream.map_err(|error| Failure::Unconnected(error.to_string()))?;
    let _ = stream.set_nodelay(true);
    Ok(TokioIo::new(stream))
}

async fn connect(plan: &Plan) -> Result<http1::SendRequest<Body>, Failure> {
    let handshake = http1::handshake(open(plan).await?).await;
    let (sender, connection) = handshake.map_err(|error| Failure::Unconnected(error.to_string()))?;
    // How it ends is known from its requests.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

async fn connect_h2(plan: &Plan) -> Result<http2::SendRequest<Body>, Failure> {
    let handshake = http2::handshake(TokioExecutor::new(), open(plan).await?).await;
    let (sender, connection) = handshake.map_err(|error| Failure::Unconnected(error.to_string()))?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

fn failure(mut error: hyper::client::conn::TrySendError<Request<Body>>) -> Failure {
    match error.take_message() {
        Some(request) => Failure::Unsent(request),
        None => Failure::Broken(chain(error.error())),
    }
}

async fn read(response: Response<Incoming>, record: &mut Record) -> Outcome {
    let status = response.status().as_u16();
    let header = |name: &str, headers: &HeaderMap| Some(headers.get(name)?.to_str().ok()?.to_string());
    record.backend = header("x-backend", response.headers());
    record.reason = header("x-gateway-error", response.headers());
    record.attempts = header("x-attempts", response.headers()).and_then(|count| count.parse().ok());
    match response.into_body().collect().await.map(Collected::to_bytes) {
        Ok(body) if status == 200 && !record.fits(&body) => Outcome::Wrong,
        Ok(_) => Outcome::Answered(status),
        Err(error) => Outcome::Truncated(chain(&error)),
    }
}

/// An error with what it was caused by.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
