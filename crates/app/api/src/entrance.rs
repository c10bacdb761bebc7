//! What every request goes through: the guard before its handler, and what every answer goes through after it.

use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, VARY};
use hyper::{Method, Request, StatusCode};

use crate::own::Refusal;
use crate::{ApiState, guard};

/// Whose manners an answer has.
#[derive(Clone, Copy, PartialEq)]
enum Manners {
    /// Errors are `{"errors": [...]}`.
    Own,
    /// Errors are plain text.
    Consul,
}

impl Manners {
    fn at(path: &str) -> Manners {
        if path.starts_with("/api") { Manners::Own } else { Manners::Consul }
    }
}

pub(crate) async fn enter(State(state): State<ApiState>, request: Request<Body>, next: Next) -> Response {
    let path = request.uri().path().to_string();
    let method = request.method().clone();
    let manners = Manners::at(&path);
    let mut response = match guard::check(&state.about, &request) {
        Ok(()) => {
            let handled = AssertUnwindSafe(next.run(request)).catch_unwind().await;
            handled.unwrap_or_else(|_| broken(manners, &method, &path))
        }
        Err(refused) => error(manners, refused.status, refused.text),
    };
    if path.starts_with("/v1/") {
        response.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    guard::add_headers(response.headers_mut());
    response
}

/// For a path that nothing is at.
pub(crate) async fn nothing_here(request: Request<Body>) -> Response {
    let path = request.uri().path();
    let text = format!("there is nothing at '{path}': see /api/openapi.json for what there is");
    error(Manners::at(path), StatusCode::NOT_FOUND, text)
}

/// A panic is our own mistake: it ends the request and nothing else.
fn broken(manners: Manners, method: &Method, path: &str) -> Response {
    tracing::error!(%method, path, "a handler panicked");
    let text = format!("{method} {path} met a mistake of Adsum's own: the agent's log has it");
    error(manners, StatusCode::INTERNAL_SERVER_ERROR, text)
}

/// For a method that a path does not have. OPTIONS is a question for just that.
pub(crate) fn wrong_method(request: &Request<Body>, known: &[&str]) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    let mut response = match (Manners::at(path), *method == Method::OPTIONS) {
        (_, true) => StatusCode::OK.into_response(),
        (manners @ Manners::Consul, false) => {
            error(manners, StatusCode::METHOD_NOT_ALLOWED, format!("method {method} not allowed"))
        }
        (manners @ Manners::Own, false) => {
            let text = format!("{method} {path} is not possible: use one of {}", known.join(", "));
            error(manners, StatusCode::METHOD_NOT_ALLOWED, text)
        }
    };
    let allow = format!("OPTIONS,{}", known.join(","));
    let allow = HeaderValue::from_str(&allow).expect("names of methods are letters");
    response.headers_mut().insert(ALLOW, allow);
    response
}

fn error(manners: Manners, status: StatusCode, text: String) -> Response {
    match manners {
        Manners::Own => Refusal::new(status, text).into_response(),
        Manners::Consul => plain(status, text),
    }
}

/// A text as Consul answers it.
pub(crate) fn plain(status: StatusCode, text: String) -> Response {
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    (status, [(CONTENT_TYPE, kind)], text).into_response()
}
