//! The standard health service of gRPC (<https://github.com/grpc/grpc/blob/master/doc/health-checking.md>), and a ping of
//! HTTP/2.

use std::time::Duration;

use adsum_model::registered::Tls;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::header::{CONTENT_TYPE, TE};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinSet;
use tokio::time;

use crate::connect::connect;
use crate::http::{AnyError, cause};
use crate::{OUTPUT_LIMIT, Outcome, Status};

const SERVING: u64 = 1;

pub(crate) async fn probe(address: &str, service: &str, tls: &Tls, timeout: Duration) -> Outcome {
    let what = if service.is_empty() { address.to_string() } else { format!("{address}/{service}") };
    match time::timeout(timeout, ask(address, service, tls)).await {
        Ok(Ok(SERVING)) => Outcome::new(Status::Passing, format!("gRPC check {what}: success")),
        Ok(Ok(other)) => Outcome::critical(format!("gRPC check {what}: serving status {other}")),
        Ok(Err(error)) => Outcome::critical(format!("gRPC check {what}: {}", cause(&*error))),
        Err(_) => Outcome::late(&format!("gRPC check {what}"), timeout),
    }
}

/// Only that the other side answers a ping.
pub(crate) async fn ping(address: &str, tls: &Tls, timeout: Duration) -> Outcome {
    match time::timeout(timeout, exchange_ping(address, tls)).await {
        Ok(Ok(())) => Outcome::new(Status::Passing, "HTTP2 ping was successful"),
        Ok(Err(error)) => Outcome::critical(format!("HTTP2 ping {address}: {}", cause(&*error))),
        Err(_) => Outcome::late(&format!("HTTP2 ping {address}"), timeout),
    }
}

async fn exchange_ping(address: &str, tls: &Tls) -> Result<(), AnyError> {
    let stream = connect(address, tls, b"h2").await?;
    let (_requests, mut connection) = h2::client::handshake(stream).await?;
    let mut pings = connection.ping_pong().expect("nobody has taken it from a new connection");
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    pings.ping(h2::Ping::opaque()).await?;
    Ok(())
}

async fn ask(address: &str, service: &str, tls: &Tls) -> Result<u64, AnyError> {
    let stream = connect(address, tls, b"h2").await?;
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    // Ends with this function, however that ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let scheme = if tls.wanted { "https" } else { "http" };
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{scheme}://{address}/grpc.health.v1.Health/Check"))
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .body(Full::new(question(service)))?;
    answer(sender.send_request(request).await?).await
}

/// `HealthCheckRequest { service = 1 }` in a frame that is not compressed.
fn question(service: &str) -> Bytes {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        write_number(&mut message, service.len() as u64);
        message.extend_from_slice(service.as_bytes());
    }
    let mut frame = vec![0];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(&message);
    frame.into()
}

fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

async fn answer(response: Response<Incoming>) -> Result<u64, AnyError> {
    let (head, mut body) = response.into_parts();
    if !head.status.is_success() {
        return Err(format!("HTTP status {}", head.status).into());
    }
    check_status(&head.headers)?;
    let mut data = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(piece) if data.len() + piece.len() <= OUTPUT_LIMIT => data.extend_from_slice(&piece),
            Ok(_) => return Err("the answer is too long".into()),
            Err(frame) => check_status(frame.trailers_ref().unwrap_or(&HeaderMap::new()))?,
        }
    }
    serving_status(&data).ok_or_else(|| "the answer is no HealthCheckResponse".into())
}

fn check_status(headers: &HeaderMap) -> Result<(), AnyError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("grpc-status") {
        None | Some("0") => Ok(()),
        Some(code) => Err(format!("code {code}: {}", text("grpc-message").unwrap_or_default()).into()),
    }
}

/// `HealthCheckResponse { status = 1 }`; nothing of it is the default, 0.
fn serving_status(frame: &[u8]) -> Option<u64> {
    let (head, message) = frame.split_at_checked(5)?;
    match (head[0], message) {
        (0, []) => Some(0),
        (0, [0x08, number @ ..]) => number.first().map(|byte| u64::from(byte & 0x7f)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_its_service_in_one_frame() {
        assert_eq!(&question("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&question("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(question(&"a".repeat(200))[5..8], [0x0a, 0xc8, 1]);
    }

    #[test]
    fn an_answer_is_a_status_or_no_answer() {
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 0x08, 1]), Some(SERVING));
        assert_eq!(serving_status(&[0, 0, 0, 0, 0]), Some(0));
        for broken in [&[][..], &[0, 0, 0, 0], &[1, 0, 0, 0, 0], &[0, 0, 0, 0, 1, 0x10]] {
            assert_eq!(serving_status(broken), None);
        }
    }
}
