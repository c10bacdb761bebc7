//! One connection of a backend: request after request, until somebody closes.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::answer::{self, After};
use super::request::{Arrival, Reader};
use super::{Idle, Settings};

pub(super) async fn run(stream: TcpStream, settings: Arc<Settings>, number: u64) {
    // Answers are written in one piece each; without this a second piece waits for the first one's acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut reader = Reader::new(stream);
    let mut round = number;
    // A client that has just connected is given its time: it is the pause behind an answer that is limited.
    let mut answered = false;
    loop {
        round = round.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let idle = settings.idle.filter(|_| answered).map(|idle| idle.time(round));
        answered = true;
        let request = match reader.request(idle).await {
            Arrival::Request(request) => request,
            Arrival::Idle => return close_idle(reader.stream, &settings).await,
            Arrival::Ended => return,
        };
        settings.ledger.note(&format!("request {} {}", request.method, request.path));
        let after = answer::give(&mut reader, &request, &settings).await;
        settings.ledger.note(&format!("done {} {}", request.method, request.path));
        match after {
            After::Next => (),
            After::Close => return,
            After::Reset => return reset(reader.stream, &settings),
            After::WebSocket => return super::socket::echo(reader.stream, &settings).await,
        }
    }
}

impl Idle {
    /// From `after - jitter` to `after + jitter`.
    fn time(&self, lot: u64) -> Duration {
        let share = (lot >> 40) as f64 / (1u64 << 24) as f64;
        (self.after + self.jitter.mul_f64(2.0 * share)).saturating_sub(self.jitter)
    }
}

/// Nothing that comes from here on is looked at, as if the FIN were on its way.
async fn close_idle(stream: TcpStream, settings: &Settings) {
    let wire = settings.idle.map(|idle| idle.wire).unwrap_or_default();
    match tokio::time::timeout(wire, bytes(&stream)).await {
        Ok(Ok(1..)) => {
            settings.ledger.note("race");
            reset(stream, settings);
        }
        Ok(_) | Err(_) => settings.ledger.note("idle-closed"),
    }
}

/// How many bytes come next; none at the end.
async fn bytes(stream: &TcpStream) -> std::io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(&mut [0; 64]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => (),
            read => return read,
        }
    }
}

fn reset(stream: TcpStream, settings: &Settings) {
    settings.ledger.note("reset");
    // Closing with nothing lingering sends RST; a stream that the other side has reset already needs none.
    let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}
