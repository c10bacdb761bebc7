//! A connection is accepted.

use std::net::SocketAddr;
use std::time::Duration;

use adsum_model::registered::Tls;
use tokio::net::TcpStream;
use tokio::time;

use crate::connect::connect;
use crate::outcome::plain;
use crate::{Outcome, Status};

pub(crate) async fn probe(endpoint: SocketAddr, timeout: Duration) -> Outcome {
    let what = format!("TCP connect {endpoint}");
    match time::timeout(timeout, TcpStream::connect(endpoint)).await {
        Ok(Ok(_)) => Outcome::new(Status::Passing, format!("{what}: Success")),
        Ok(Err(error)) => Outcome::critical(format!("{what}: {}", plain(&error))),
        Err(_) => Outcome::late(&what, timeout),
    }
}

/// The same for a name or an address with a port, with TLS where that is wanted.
pub(crate) async fn reach(address: &str, tls: &Tls, timeout: Duration) -> Outcome {
    let what = format!("TCP connect {address}");
    match time::timeout(timeout, connect(address, tls, b"http/1.1")).await {
        Ok(Ok(_)) => Outcome::new(Status::Passing, format!("{what}: Success")),
        Ok(Err(error)) => Outcome::critical(format!("{what}: {}", plain(&error))),
        Err(_) => Outcome::late(&what, timeout),
    }
}
