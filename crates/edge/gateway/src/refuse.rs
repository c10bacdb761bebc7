//! Answers that no instance has given.

use std::fmt::Display;

use adsum_forward::GatewayError;
use adsum_routing::Redirect;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::answer::{Answer, Source};
use crate::client::Refused;
use crate::head;
use crate::visit::Visit;

/// Why a request goes to no instance.
#[derive(Debug)]
pub(crate) enum Refusal {
    Own(GatewayError),
    Because(GatewayError, String),
    /// The client's connection ends with the answer.
    Last(GatewayError, &'static str),
    /// The client's bytes were no request that can be understood in one way only.
    Client(Refused),
    /// The client has taken its request back, or is gone: it did nothing wrong, and hears nothing of it.
    Gone,
    /// It is sent to an instance's own address.
    Redirect(HeaderValue),
}

impl From<GatewayError> for Refusal {
    fn from(error: GatewayError) -> Refusal {
        Refusal::Own(error)
    }
}

impl Refusal {
    pub(crate) fn because(error: GatewayError, why: impl Display) -> Refusal {
        Refusal::Because(error, why.to_string())
    }

    /// The rest of the path and the query go along.
    pub(crate) fn redirect(redirect: &Redirect<'_>, query: Option<&str>) -> Refusal {
        let scheme = if redirect.tls { "https" } else { "http" };
        let (mark, query) = query.map_or(("", ""), |query| ("?", query));
        let location = format!("{scheme}://{}{}{mark}{query}", redirect.member.endpoint, redirect.path);
        match HeaderValue::try_from(location) {
            Ok(location) => Refusal::Redirect(location),
            Err(_) => GatewayError::BadRequest.into(),
        }
    }
}

/// The answer. `headers` are the request's.
pub(crate) fn refuse(refusal: &Refusal, mut visit: Visit, headers: &HeaderMap) -> Response<Answer> {
    let accept = headers.get(header::ACCEPT);
    let mut response = match refusal {
        Refusal::Own(error) => own(*error, None, accept, &mut visit),
        Refusal::Because(error, why) => own(*error, Some(why), accept, &mut visit),
        Refusal::Last(error, why) => last(own(*error, Some(why), accept, &mut visit)),
        Refusal::Client(refused) => rejection(*refused, &mut visit),
        Refusal::Gone => gone(&mut visit),
        Refusal::Redirect(location) => redirection(location),
    };
    let client = visit.client();
    head::mark(response.headers_mut(), client, &visit);
    head::tell_end(response.headers_mut(), client);
    if !matches!(refusal, Refusal::Gone) {
        visit.answered(response.status());
    }
    response.map(|body| Answer::new(Source::Own(Some(body)), visit))
}

fn own(
    error: GatewayError,
    why: Option<&str>,
    accept: Option<&HeaderValue>,
    visit: &mut Visit,
) -> Response<Bytes> {
    visit.failed(error);
    let answer = error.answer(accept, why);
    let mut response = Response::new(answer.body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

/// Its connection ends with it: nobody knows where a next request would begin.
fn rejection(refused: Refused, visit: &mut Visit) -> Response<Bytes> {
    let (status, why) = match refused {
        Refused::Offence(rejection) => (rejection.status(), rejection.reason()),
        Refused::TooSlow => (408, "the request was not complete in time"),
    };
    let error = match status {
        414 => GatewayError::UriTooLong,
        431 => GatewayError::HeadersTooLarge,
        _ => GatewayError::BadRequest,
    };
    visit.client().worker.ledger.rejected.add(1);
    let mut response = own(error, Some(why), None, visit);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    last(response)
}

/// For whoever has closed one direction only. It is no answer that counts.
fn gone(visit: &mut Visit) -> Response<Bytes> {
    visit.broken_off();
    let answer = GatewayError::BadRequest.answer(None, Some("the request has ended before its end"));
    let mut response = Response::new(answer.body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    last(response)
}

fn last(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn redirection(location: &HeaderValue) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::FOUND;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location.clone());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
