//! A datagram that nobody rejects. There is no more to see from outside: silence passes, as in Consul. That it could not
//! be sent in time is no silence.

use std::io;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{self, Instant};

use crate::outcome::plain;
use crate::{Outcome, Status};

/// How long the machine at the other side has to say that nobody listens.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) async fn probe(address: &str, timeout: Duration) -> Outcome {
    let what = format!("UDP connect {address}");
    let begun = Instant::now();
    let socket = match time::timeout(timeout, send(address)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return Outcome::critical(format!("{what}: {}", plain(&error))),
        Err(_) => return Outcome::late(&what, timeout),
    };
    let left = timeout.saturating_sub(begun.elapsed());
    match time::timeout(left.min(PATIENCE), socket.recv(&mut [0])).await {
        Ok(Err(error)) => Outcome::critical(format!("{what}: {}", plain(&error))),
        Ok(Ok(_)) | Err(_) => Outcome::new(Status::Passing, format!("{what}: Success")),
    }
}

/// What the answer comes to.
async fn send(address: &str) -> io::Result<UdpSocket> {
    let target = tokio::net::lookup_host(address).await?.next();
    let target = target.ok_or_else(|| io::Error::other("no such host"))?;
    let own = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(own).await?;
    socket.connect(target).await?;
    socket.send(&[]).await?;
    Ok(socket)
}
