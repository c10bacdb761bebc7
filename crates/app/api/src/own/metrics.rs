//! `GET /metrics`: what the gateway has counted, in the text form that Prometheus reads.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::header::{CONTENT_TYPE, HeaderValue};

use crate::ApiState;

pub(crate) async fn get(State(state): State<ApiState>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, kind)], state.routing.metrics()).into_response()
}
