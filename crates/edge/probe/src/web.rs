//! An HTTP request as a client has registered it. The verdict is that of [`crate::http`].
//!
//! A redirect is followed within the same scheme, host and port only: a check must not make this machine call others.

use std::time::Duration;

use adsum_model::registered::{Http, Tls};
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, HOST, LOCATION, USER_AGENT};
use hyper::http::uri::Scheme;
use hyper::{Request, Response, StatusCode, Uri, body::Incoming};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use tokio::time;

use crate::connect::connect;
use crate::http::{ACCEPTED, AGENT, AnyError, beginning, cause, verdict};
use crate::{Outcome, user};

/// As many as Go's client follows.
const REDIRECTS: usize = 10;

pub(crate) async fn probe(http: &Http, timeout: Duration) -> Outcome {
    let what = format!("{} {}", http.method, http.url);
    match time::timeout(timeout, follow(http)).await {
        Ok(Ok((code, body))) => Outcome::new(
            verdict(code),
            format!("HTTP {what}: {code} Output: {}", String::from_utf8_lossy(&body)),
        ),
        Ok(Err(error)) => Outcome::critical(format!("{what}: {}", cause(&*error))),
        Err(_) => Outcome::late(&what, timeout),
    }
}

async fn follow(http: &Http) -> Result<(StatusCode, Vec<u8>), AnyError> {
    let mut uri: Uri = http.url.parse()?;
    for _ in 0..REDIRECTS {
        // Ends with the exchange, however that ends.
        let mut driver = JoinSet::new();
        let response = send(http, &uri, &mut driver).await?;
        match redirect(http, &uri, &response) {
            Some(next) => uri = next,
            None => return Ok((response.status(), beginning(response).await?)),
        }
    }
    Err(format!("stopped after {REDIRECTS} redirects").into())
}

fn redirect(http: &Http, uri: &Uri, response: &Response<Incoming>) -> Option<Uri> {
    let is_told = http.follow_redirects && response.status().is_redirection();
    let location = response.headers().get(LOCATION).filter(|_| is_told)?.to_str().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let next = if location.starts_with('/') && !location.starts_with("//") {
        format!("{scheme}://{authority}{location}").parse().ok()?
    } else {
        location.parse::<Uri>().ok()?
    };
    let host = |uri: &Uri| Some(user::split(uri.authority()?.as_str()).1.to_ascii_lowercase());
    (next.scheme() == uri.scheme() && host(&next) == host(uri)).then_some(next)
}

async fn send(
    http: &Http,
    uri: &Uri,
    driver: &mut JoinSet<hyper::Result<()>>,
) -> Result<Response<Incoming>, AnyError> {
    let host = uri.host().ok_or("the URL has no host")?;
    // The scheme is told in any case of its letters (RFC 3986 3.1).
    let tls = Tls { wanted: http.tls.wanted || uri.scheme() == Some(&Scheme::HTTPS), ..http.tls.clone() };
    let usual = if tls.wanted { 443 } else { 80 };
    let address = format!("{host}:{}", uri.port_u16().unwrap_or(usual));
    let stream = connect(&address, &tls, b"http/1.1").await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    driver.spawn(connection);
    Ok(sender.send_request(request(http, uri)?).await?)
}

fn request(http: &Http, uri: &Uri) -> Result<Request<Full<Bytes>>, AnyError> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder().method(http.method.as_str()).uri(path);
    for (name, values) in &http.headers {
        for value in values {
            request = request.header(name, value);
        }
    }
    let mut request = request.body(Full::from(http.body.clone()))?;
    let (user, host) = user::split(uri.authority().map_or("", |authority| authority.as_str()));
    let authorization = user.map(|user| (AUTHORIZATION, user::basic(user)));
    let usual = [(HOST, host), (USER_AGENT, AGENT), (ACCEPT, ACCEPTED)];
    let usual = usual.map(|(name, value)| (name, value.to_string()));
    let headers = request.headers_mut();
    for (name, value) in usual.into_iter().chain(authorization) {
        if !headers.contains_key(&name) {
            headers.insert(name, value.parse()?);
        }
    }
    headers.insert(CONNECTION, "close".parse()?);
    Ok(request)
}
