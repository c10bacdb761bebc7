//! A datagram that nobody rejects. There is no more to see from outside: silence passes, as in Consul.

use std::io;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time;

use crate::outcome::plain;
use crate::{Outcome, Status};

/// How long the machine at the other side has to say that nobody listens.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) async fn probe(address: &str, timeout: Duration) -> Outcome {
    let what = format!("UDP connect {address}");
    match time::timeout(timeout.min(PATIENCE), exchange(address)).await {
        Ok(Err(error)) => Outcome::critical(format!("{what}: {}", plain(&error))),
        Ok(Ok(())) | Err(_) => Outcome::new(Status::Passing, format!("{what}: Success")),
    }
}

async fn exchange(address: &str) -> io::Result<()> {
    let target = tokio::net::lookup_host(address).await?.next();
    let target = target.ok_or_else(|| io::Error::other("no such host"))?;
    let own = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(own).await?;
    socket.connect(target).await?;
    socket.send(&[]).await?;
    socket.recv(&mut [0]).await?;
    Ok(())
}
