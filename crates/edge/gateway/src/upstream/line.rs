//! One HTTP/1.1 connection to an instance.
//!
//! Nobody but the request that uses it drives it: while an answer is awaited and while its body is read, each poll of
//! the request is a poll of the connection. So a request that is dropped takes its connection with it, and a request
//! costs no switch between tasks.

use std::future::Future as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::socket::{Meter, Socket};
use crate::payload::Payload;

type Driver = http1::Connection<TokioIo<Socket>, Payload>;

pub(crate) struct Line {
    sender: SendRequest<Payload>,
    driver: Option<Driver>,
    /// The driver has nothing more to do.
    over: bool,
    meter: Arc<Meter>,
    /// When its last answer ended; of a fresh one when it was made.
    pub(crate) rested: Instant,
    pub(crate) reused: bool,
    /// How long it may rest and be used again.
    pub(crate) patience: Duration,
}

/// What became of a request that got no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// No byte of it has left.
    NotSent,
    /// Some of it may have reached the instance.
    Sent(hyper::Error),
    /// What came back is no HTTP.
    Invalid(hyper::Error),
}

impl Line {
    pub(crate) async fn open(
        socket: Socket,
        meter: Arc<Meter>,
        patience: Duration,
    ) -> Result<Line, hyper::Error> {
        let (sender, connection) =
            http1::Builder::new().max_buf_size(64 << 10).handshake(TokioIo::new(socket)).await?;
        let driver = Some(connection);
        Ok(Line { sender, driver, over: false, meter, rested: Instant::now(), reused: false, patience })
    }

    /// Sends a request and waits for the beginning of its answer.
    pub(crate) async fn send(&mut self, request: Request<Payload>) -> Result<Response<Incoming>, Unanswered> {
        let before = self.meter.written();
        let mut answer = pin!(self.sender.try_send_request(request));
        let (driver, over) = (&mut self.driver, &mut self.over);
        let outcome = std::future::poll_fn(|cx| {
            drive(driver, over, cx);
            let mut outcome = answer.as_mut().poll(cx);
            if outcome.is_pending() && *over {
                // Dropped, it tells the request that waits for an answer.
                *driver = None;
                outcome = answer.as_mut().poll(cx);
            }
            outcome
        })
        .await;
        outcome.map_err(|mut error| match error.take_message() {
            Some(_) => Unanswered::NotSent,
            None if self.meter.written() == before => Unanswered::NotSent,
            None => {
                let error = error.into_error();
                if error.is_parse() { Unanswered::Invalid(error) } else { Unanswered::Sent(error) }
            }
        })
    }

    /// Moves bytes. To be called whenever whoever reads an answer's body finds nothing there.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.driver, &mut self.over, cx);
    }

    /// After 101: waits until all of HTTP has been said, and gives the connection away, with what was read behind it.
    pub(crate) async fn into_socket(mut self) -> Option<(Socket, Bytes)> {
        std::future::poll_fn(|cx| {
            self.drive(cx);
            if self.over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let parts = self.driver?.into_parts();
        Some((parts.io.into_inner(), parts.read_buf))
    }

    /// Whether it can take a further request, as far as is known.
    pub(crate) fn is_ready(&self) -> bool {
        !self.over && self.sender.is_ready()
    }

    /// Looks whether the instance has closed it, or said something that nobody asked for.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.is_ready()
    }
}

fn drive(driver: &mut Option<Driver>, over: &mut bool, cx: &mut Context<'_>) {
    let Some(connection) = driver.as_mut().filter(|_| !*over) else { return };
    match Pin::new(connection).poll(cx) {
        Poll::Pending => {}
        Poll::Ready(Ok(())) => *over = true,
        Poll::Ready(Err(error)) => {
            tracing::debug!(%error, "an instance's connection has ended");
            *over = true;
        }
    }
}
