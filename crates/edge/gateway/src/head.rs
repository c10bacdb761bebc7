//! Heads of messages, as this gateway has them changed on their way; what they say is decided in `core/forward`.

use std::borrow::Cow;
use std::time::Duration;

use adsum_forward::{GatewayError, Host, Inbound, Marks, Seed, Told, cookie};
use adsum_model::{Balance, HashKey, Policy, Rewrite, Upstream as Speech};
use http::request::Parts;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, Version, header, response};

use crate::client::Client;
use crate::payload::Payload;
use crate::refuse::Refusal;
use crate::station::Wish;
use crate::visit::Visit;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Which host is meant, without doubt.
pub(crate) fn host(client: &Client, parts: &Parts) -> Result<Host, Refusal> {
    let host = client.caller.host(&parts.uri, &parts.headers, parts.version);
    host.map_err(|error| Refusal::because(GatewayError::BadRequest, error))
}

/// Makes of a head that came in the one that goes on, beside what is told of it.
pub(crate) fn to_instance(
    client: &Client,
    parts: &mut Parts,
    host: &Host,
    path: &str,
    rewrite: &Rewrite,
    visit: &mut Visit,
) -> Result<Told, Refusal> {
    let lot = || client.worker.lot();
    let seed = Seed { request: u128::from(lot()) << 64 | u128::from(lot()), span: lot() };
    let inbound = Inbound { version: parts.version, host, seed };
    let passed = client.caller.pass_on(&mut parts.headers, &inbound)?;
    visit.request_id(passed.request_id);
    let path = adsum_forward::rewrite(rewrite, path, &mut parts.headers);
    set_path(&mut parts.uri, &path)?;
    Ok(passed.told)
}

/// The path that was matched is the path that is sent, in origin form.
fn set_path(uri: &mut Uri, path: &str) -> Result<(), Refusal> {
    if uri.path() == path && uri.authority().is_none() {
        return Ok(());
    }
    let whole = match uri.query() {
        Some(query) => Cow::Owned(format!("{path}?{query}")),
        None => Cow::Borrowed(path),
    };
    let whole =
        PathAndQuery::try_from(&*whole).map_err(|error| Refusal::because(GatewayError::BadRequest, error))?;
    *uri = Uri::from(whole);
    Ok(())
}

/// Takes out what asks for an upgrade.
pub(crate) fn remove_upgrade(headers: &mut HeaderMap) {
    headers.remove(header::UPGRADE);
    headers.remove(header::CONNECTION);
}

/// What decides which instance gets a request.
pub(crate) fn wish(policy: &Policy, parts: &Parts, told: &Told, lot: u64) -> Wish {
    let key = match &policy.balance {
        Balance::Hash(HashKey::Header(name)) => {
            let told = || told.get(&HeaderName::from_bytes(name.as_bytes()).ok()?);
            parts.headers.get(name).or_else(told).map(|value| value.as_bytes().to_vec())
        }
        Balance::Hash(HashKey::Cookie(name)) => {
            cookie(&parts.headers, name).map(|value| value.as_bytes().to_vec())
        }
        Balance::Hash(HashKey::Path) => Some(parts.uri.path().as_bytes().to_vec()),
        Balance::PeakEwma | Balance::RoundRobin | Balance::LeastRequests | Balance::Random => None,
    };
    let sticky = policy.sticky.as_ref().and_then(|name| cookie(&parts.headers, name)).map(str::to_owned);
    Wish { lot, key, sticky, tried: Vec::new() }
}

/// Puts a request into the form that it has in HTTP/2.
pub(crate) fn suit_http2(request: &mut Request<Payload>, speech: &Speech) {
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove(header::CONNECTION);
    let host = request.headers_mut().remove(header::HOST);
    let mut uri = std::mem::take(request.uri_mut()).into_parts();
    uri.scheme = Some(if matches!(speech, Speech::Https(_)) { Scheme::HTTPS } else { Scheme::HTTP });
    uri.authority = host.and_then(|host| host.as_bytes().try_into().ok());
    if uri.authority.is_none() {
        // An HTTP/1.0 client need not say which host it means.
        uri.authority = Some(http::uri::Authority::from_static("localhost"));
    }
    *request.uri_mut() = Uri::from_parts(uri).expect("scheme, authority and path make a whole");
}

/// Whether the client waits for a word before it sends its body.
pub(crate) fn expects_continue(headers: &HeaderMap) -> bool {
    headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// How long a connection may rest by what its instance says (`Keep-Alive: timeout=5`), less the time that a request
/// needs to get there.
pub(crate) fn keep_alive(headers: &HeaderMap) -> Option<Duration> {
    let value = adsum_forward::seldom(headers, &KEEP_ALIVE)?.to_str().ok()?;
    let parameters = value.split(',').filter_map(|parameter| parameter.split_once('='));
    let (_, seconds) =
        parameters.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))?;
    let timeout = Duration::from_secs(seconds.trim().parse().ok()?);
    Some(timeout.saturating_sub((timeout / 2).min(Duration::from_secs(1))))
}

pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    if !headers.contains_key(header::RETRY_AFTER) {
        return None;
    }
    adsum_forward::retry_after(headers, crate::worker::moment().wall)
}

pub(crate) fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Whether it goes on without a known end.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    if headers.contains_key(header::CONTENT_LENGTH) {
        return false;
    }
    let start = headers.get(header::CONTENT_TYPE).and_then(|value| value.as_bytes().get(..17));
    start.is_some_and(|start| start.eq_ignore_ascii_case(b"text/event-stream"))
}

/// Makes of the head that an instance answered with the one that the client gets.
pub(crate) fn to_client(
    head: &mut response::Parts,
    client: &Client,
    visit: &Visit,
    cookie: Option<HeaderValue>,
) {
    adsum_forward::pass_back(head.status, &mut head.headers, &marks(client, visit));
    mark(&mut head.headers, client, visit);
    if let Some(cookie) = cookie {
        head.headers.append(header::SET_COOKIE, cookie);
    }
    if head.status != StatusCode::SWITCHING_PROTOCOLS {
        tell_end(&mut head.headers, client);
    }
    // The client's connection decides which version it is answered in.
    head.version = Version::HTTP_11;
}

/// Tells the client of the end of its connection, if it ends with this answer.
pub(crate) fn tell_end(headers: &mut HeaderMap, client: &Client) {
    if client.ends() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Over HTTP/2. Otherwise the marks are written behind the headers.
pub(crate) fn mark(headers: &mut HeaderMap, client: &Client, visit: &Visit) {
    if !client.is_http1() {
        let marks = marks(client, visit);
        let indexes_id = marks.request_id.is_some() && client.indexes_id(visit.begun);
        Marks { indexes_id, ..marks }.put(headers);
    }
}

/// What the client is told of the way that its request went.
pub(crate) fn marks<'a>(client: &Client, visit: &'a Visit) -> Marks<'a> {
    let wished = client.worker.settings.headers;
    Marks {
        request_id: visit.request_id.as_ref().filter(|_| wished.request_id),
        served_by: visit.upstream.as_ref().map(|upstream| &upstream.label).filter(|_| wished.served_by),
        attempts: (wished.attempts && visit.tries > 0).then_some(visit.tries),
        indexes_id: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &'static str, expect: Option<u64>) {
        let headers = HeaderMap::from_iter([(KEEP_ALIVE, HeaderValue::from_static(value))]);
        assert_eq!(keep_alive(&headers), expect.map(Duration::from_millis), "{value}");
    }

    #[test]
    fn connection_rests_for_less_than_its_instance_says() {
        check("timeout=5", Some(4000));
        check("max=100, Timeout = 2", Some(1000));
        check("timeout=1, max=3", Some(500));
        check("timeout=0", Some(0));
        check("max=3", None);
        check("timeout=soon", None);
    }
}
