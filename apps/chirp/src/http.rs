//! One HTTP request and its answer.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// No answer that is waited for here is near this size.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// What the body says of an error, in one line of bounded length.
    pub fn reason(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let body: String = body.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect();
        format!("{} {body}", self.status.as_u16()).trim_end().to_string()
    }
}

pub async fn get(address: &str, path: &str, patience: Duration) -> anyhow::Result<Answer> {
    send(address, request(Method::GET, path), patience).await
}

/// A request to be completed with headers.
pub fn request(method: Method, path: &str) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().expect("paths here are made of names that need no escape");
    request
}

/// On a connection of its own: there is no old one that the other side might just be closing.
pub async fn send(
    address: &str,
    request: Request<Full<Bytes>>,
    patience: Duration,
) -> anyhow::Result<Answer> {
    let what = format!("{} http://{address}{}", request.method(), request.uri());
    let answer = tokio::time::timeout(patience, exchange(address, request));
    answer.await.map_err(anyhow::Error::from).flatten().context(what)
}

async fn exchange(address: &str, mut request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
    request.headers_mut().insert(HOST, address.parse()?);
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let answer = async move {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await.map_err(anyhow::Error::from_boxed)?;
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
    };
    let (answer, _closed) = tokio::join!(answer, connection);
    answer
}

pub fn json(mut request: Request<Full<Bytes>>, body: String) -> Request<Full<Bytes>> {
    request.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    *request.body_mut() = Full::new(body.into());
    request
}
