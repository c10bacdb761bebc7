//! One POST to an address that somebody has named.
//!
//! Not here: whether it is tried again. An address that leads to another one (3xx) is not followed, and is no success.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// From the first byte out to the head of the answer.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Call {
    pub(crate) url: String,
    /// The client token: the same for each attempt of one firing.
    pub(crate) name: String,
    /// JSON.
    pub(crate) body: String,
}

type AnyError = Box<dyn Error + Send + Sync>;

/// Sends it once. An answer of 2xx is success; everything else is said in words.
pub(crate) async fn send(call: &Call) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, post(call)).await {
        Ok(Ok(status)) if status.is_success() => Ok(()),
        Ok(Ok(status)) => Err(format!("it answers {status}")),
        Ok(Err(error)) => Err(innermost(&*error)),
        Err(_elapsed) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

async fn post(call: &Call) -> Result<hyper::StatusCode, AnyError> {
    let uri: Uri = call.url.parse()?;
    let authority = uri.authority().ok_or("the address names no host")?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(HOST, authority.as_str().rsplit('@').next().unwrap_or_default())
        .header(USER_AGENT, "Adsum")
        .header(CONTENT_TYPE, "application/json")
        .header("idempotency-key", &call.name)
        .header(CONNECTION, "close")
        .body(Full::<Bytes>::from(call.body.clone()))?;
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with this function, however that ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    Ok(sender.send_request(request).await?.status())
}

fn innermost(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let mut error: &(dyn Error + 'static) = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
