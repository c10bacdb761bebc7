//! What the HTTP services of chirp have in common: the listener, and errors as `{"error": reason}`.

use anyhow::Context;
use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::net::TcpListener;

use crate::environment::Environment;
use crate::log::log;
use crate::stop::Stop;

/// Answers requests until asked to stop, and then those that have begun.
pub async fn serve(router: Router, environment: &Environment, stop: Stop) -> anyhow::Result<()> {
    let address = environment.listen()?;
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    log!("listening address={}", listener.local_addr()?);
    let router = router.fallback(nothing_here).method_not_allowed_fallback(not_so);
    Ok(axum::serve(listener, router).with_graceful_shutdown(async move { stop.wait().await }).await?)
}

/// What a handler answers instead.
pub struct Refusal(pub StatusCode, pub String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

async fn nothing_here(uri: axum::http::Uri) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

async fn not_so(method: axum::http::Method, uri: axum::http::Uri) -> Refusal {
    Refusal(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}", uri.path()))
}
