//! Who may not come in: pages of other sites, and names that somebody else let point here.
//!
//! This face starts processes, so a loopback address alone does not protect it: a browser on this machine sends what
//! any page tells it to. A page of another site shows by its `Origin` (and cannot send JSON without being asked for
//! leave first, which nobody here gives); a page that was loaded under a name that now leads here, by its `Host`.

use std::net::IpAddr;

use axum::body::Body;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN, TRANSFER_ENCODING};
use hyper::{HeaderMap, Method, Request, StatusCode};

use crate::About;

/// Why a request is turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

/// They tell of everybody's requests, and of the machine.
const TELLING: [&str; 4] = ["/metrics", "/v1/agent/metrics", "/v1/agent/monitor", "/v1/agent/host"];

/// # Errors
/// With what to answer.
pub(crate) fn check(about: &About, request: &Request<Body>) -> Result<(), Refused> {
    let host = host(request)?;
    check_name(about, host)?;
    let own = request.uri().path().starts_with("/api");
    let writes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if own || writes || TELLING.contains(&request.uri().path()) {
        check_origin(request.headers(), host)?;
    }
    if own && writes && (*request.method() != Method::DELETE || has_body(request.headers())) {
        check_type(request.headers())?;
    }
    Ok(())
}

/// Where the client thinks it is. A request that names its target in full has to name the same in its header.
fn host(request: &Request<Body>) -> Result<&str, Refused> {
    let mut headers = request.headers().get_all(HOST).iter();
    let header = headers.next().and_then(|host| host.to_str().ok());
    let target = request.uri().authority().map(|authority| authority.as_str());
    match (header, target) {
        (Some(header), Some(target)) if header != target => refuse(
            StatusCode::BAD_REQUEST,
            format!("the target is '{target}' and the Host header '{header}'"),
        ),
        (Some(_), _) if headers.next().is_some() => {
            refuse(StatusCode::BAD_REQUEST, "there is more than one Host header: send one".to_string())
        }
        (Some(host), _) | (None, Some(host)) => Ok(host),
        (None, None) => refuse(StatusCode::BAD_REQUEST, "there is no Host header: send one".to_string()),
    }
}

fn check_name(about: &About, host: &str) -> Result<(), Refused> {
    let name = without_port(host);
    let same = |known: &str| known.eq_ignore_ascii_case(name);
    let known = name.parse::<IpAddr>().is_ok() || same("localhost") || about.names.iter().any(|n| same(n));
    if known {
        return Ok(());
    }
    let text = format!(
        "host '{name}' is none of this agent's names, and any name can be made to point at this machine \
         (DNS rebinding): use an address or localhost, or give the agent this name"
    );
    refuse(StatusCode::FORBIDDEN, text)
}

/// `[::1]:8500` is `::1`.
fn without_port(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn check_origin(headers: &HeaderMap, host: &str) -> Result<(), Refused> {
    for origin in headers.get_all(ORIGIN) {
        let origin = origin.to_str().unwrap_or("?");
        let site = origin.split_once("://").map(|(_, site)| site);
        if !site.is_some_and(|site| site.eq_ignore_ascii_case(host)) {
            let text =
                format!("a page of '{origin}' must not call this agent: call it from a page of '{host}'");
            return refuse(StatusCode::FORBIDDEN, text);
        }
    }
    Ok(())
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    length || headers.contains_key(TRANSFER_ENCODING)
}

fn check_type(headers: &HeaderMap) -> Result<(), Refused> {
    let found = headers.get(CONTENT_TYPE).and_then(|found| found.to_str().ok()).unwrap_or_default();
    let media = found.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media == "application/json" || (media.starts_with("application/") && media.ends_with("+json")) {
        return Ok(());
    }
    let text = format!("content type '{found}' is not taken: send Content-Type: application/json");
    refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
}

fn refuse<T>(status: StatusCode, text: String) -> Result<T, Refused> {
    Err(Refused { status, text })
}

/// What every answer has, unless it has its own: a browser is to show it as what it is and run nothing of it.
pub(crate) fn add_headers(headers: &mut HeaderMap) {
    let own = [
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (HeaderName::from_static("content-security-policy"), "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in own {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests;
