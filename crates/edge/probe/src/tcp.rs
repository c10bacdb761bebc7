//! A connection is accepted.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time;

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
