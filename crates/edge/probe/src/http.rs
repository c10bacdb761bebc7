//! A GET: 2xx is passing, 429 a warning, everything else critical, as in Consul
//! (<https://developer.hashicorp.com/consul/docs/register/health-check/vm#http-checks>).

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time;

use crate::outcome::plain;
use crate::{OUTPUT_LIMIT, Outcome, Status};

/// Consul's own.
pub(crate) const AGENT: &str = "Adsum Health Check";
pub(crate) const ACCEPTED: &str = "text/plain, text/*, */*";

pub(crate) type AnyError = Box<dyn Error + Send + Sync>;

pub(crate) async fn probe(path: &str, endpoint: SocketAddr, timeout: Duration) -> Outcome {
    let what = format!("GET http://{endpoint}{path}");
    match time::timeout(timeout, get(path, endpoint)).await {
        Ok(Ok((code, body))) => Outcome::new(
            verdict(code),
            format!("HTTP {what}: {code} Output: {}", String::from_utf8_lossy(&body)),
        ),
        Ok(Err(error)) => Outcome::critical(format!("{what}: {}", cause(&*error))),
        Err(_) => Outcome::late(&what, timeout),
    }
}

pub(crate) fn verdict(code: StatusCode) -> Status {
    match code {
        code if code.is_success() => Status::Passing,
        StatusCode::TOO_MANY_REQUESTS => Status::Warning,
        _ => Status::Critical,
    }
}

/// The code and as much of the body as is kept; the rest is not waited for.
async fn get(path: &str, endpoint: SocketAddr) -> Result<(StatusCode, Vec<u8>), AnyError> {
    let request = Request::builder()
        .method(Method::GET)
        .uri(path)
        .header(HOST, endpoint.to_string())
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, ACCEPTED)
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let stream = TcpStream::connect(endpoint).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with this function, however that ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request).await?;
    Ok((response.status(), beginning(response).await?))
}

pub(crate) async fn beginning(response: Response<Incoming>) -> Result<Vec<u8>, AnyError> {
    let mut body = response.into_body();
    let mut kept = Vec::new();
    while kept.len() < OUTPUT_LIMIT
        && let Some(frame) = body.frame().await
    {
        if let Ok(data) = frame?.into_data() {
            let room = OUTPUT_LIMIT - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Ok(kept)
}

/// The operating system's word where there is one, or else hyper's.
pub(crate) fn cause(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return plain(error);
        }
        next = error.source();
    }
    error.to_string()
}
