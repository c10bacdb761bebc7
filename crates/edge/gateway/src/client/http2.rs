//! Serves an HTTP/2 connection: its frames and windows are read and written by h2, its requests have a task each.
//!
//! Invariants:
//! - The connection's own task alone reads and writes the socket; what it has to write goes out behind each of its polls.
//! - A client that says nothing, not even when it is asked to, is let go.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::Builder;
use h2::{Ping, PingPong, Reason};

use super::bundle::Bundle;
use super::{Client, Stream, streams};
use crate::patience::Watch;

/// Bytes of an answer that are kept for a client that does not take them.
const SEND_BUFFER: usize = 256 << 10;
/// Streams that the client has reset before they were looked at, and that were reset here for its faults: with more of
/// them it is taken for an attacker.
const RESET_BY_CLIENT: usize = 20;
const RESET_FOR_FAULTS: usize = 128;

type Connection = h2::server::Connection<Bundle, Bytes>;

/// Whether the client is there.
struct Pulse {
    bundle: Bundle,
    pings: Option<PingPong>,
    /// One that has said nothing from one look to the next is asked, and given up when it has said nothing by the next.
    silence: Duration,
    until: Instant,
    timer: Watch,
    asked: bool,
}

pub(super) async fn serve(stream: Stream, client: Rc<Client>) {
    let bundle = Bundle::new(stream);
    match bundle.drive(run(bundle.clone(), client.clone())).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::debug!(peer = %client.peer, %error, "a client's connection has ended early")
        }
        Err(error) => tracing::debug!(peer = %client.peer, %error, "a client's connection has failed"),
    }
}

async fn run(bundle: Bundle, client: Rc<Client>) -> Result<(), h2::Error> {
    let mut connection: Connection = builder(&client).handshake(bundle.clone()).await?;
    let mut pulse = Pulse::new(bundle, connection.ping_pong(), client.worker.settings.limits.silence);
    let mut stop = client.worker.stop.clone();
    let mut stopped = pin!(stop.wait_for(Option::is_some));
    let mut goes_on = true;
    poll_fn(|cx| {
        if goes_on && stopped.as_mut().poll(cx).is_ready() {
            goes_on = false;
            connection.graceful_shutdown();
        }
        // What has come is heard before anybody is given up.
        let served = poll_requests(&mut connection, &client, cx);
        if served.is_ready() || pulse.poll(cx).is_pending() {
            return served;
        }
        connection.abrupt_shutdown(Reason::NO_ERROR);
        poll_requests(&mut connection, &client, cx)
    })
    .await
}

fn builder(client: &Client) -> Builder {
    let limits = &client.worker.settings.limits;
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(limits.streams)
        .initial_window_size(256 << 10)
        .initial_connection_window_size(1 << 20)
        .max_frame_size(16 << 10)
        .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESET_BY_CLIENT)
        .max_local_error_reset_streams(Some(RESET_FOR_FAULTS))
        .max_send_buffer_size(SEND_BUFFER);
    builder
}

/// Begins all requests that have come. Ready when none will come any more, and all have been answered.
fn poll_requests(
    connection: &mut Connection,
    client: &Rc<Client>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), h2::Error>> {
    loop {
        match std::task::ready!(connection.poll_accept(cx)) {
            Some(Ok((request, respond))) => streams::begin(client, request, respond),
            Some(Err(error)) => return Poll::Ready(Err(error)),
            None => return Poll::Ready(Ok(())),
        }
    }
}

impl Pulse {
    fn new(bundle: Bundle, pings: Option<PingPong>, silence: Duration) -> Pulse {
        let until = Instant::now() + silence;
        Pulse { bundle, pings, silence, until, timer: Watch::default(), asked: false }
    }

    /// Ready when the client is not there any more.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.timer.poll_at(self.until, cx).is_ready() {
            let heard = self.bundle.has_heard();
            if self.asked && !heard {
                return Poll::Ready(());
            }
            self.asked = !heard && self.ask(cx);
            self.until = Instant::now() + self.silence;
        }
        Poll::Pending
    }

    /// What it says to the last question is taken first: there is one at a time, and one that it owes an answer to asks, too.
    fn ask(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(pings) = &mut self.pings else { return false };
        let _ = pings.poll_pong(cx);
        let _ = pings.send_ping(Ping::opaque());
        true
    }
}
