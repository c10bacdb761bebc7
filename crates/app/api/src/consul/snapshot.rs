//! `/v1/snapshot`: everything in one file, which is Adsum's own form of it. Consul cannot read it, nor Adsum Consul's.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};

use super::answer::Refusal;
use super::question::check_datacenter;
use crate::query::Query;
use crate::{ApiState, own};

/// The same as `GET /api/snapshot`.
pub(crate) async fn get(State(state): State<ApiState>, query: Query) -> Result<Response, Refusal> {
    check_datacenter(&query, &state.about.datacenter)?;
    let mut response = own::snapshot::get(State(state)).await.into_response();
    let headers = response.headers_mut();
    if let Some(revision) = headers.get("x-adsum-revision").cloned() {
        headers.insert(HeaderName::from_static("x-consul-index"), revision);
        headers.insert(HeaderName::from_static("x-consul-knownleader"), HeaderValue::from_static("true"));
        headers.insert(HeaderName::from_static("x-consul-lastcontact"), HeaderValue::from_static("0"));
    }
    Ok(response)
}

pub(crate) async fn put() -> Refusal {
    let text = "a running agent takes no snapshot: make a data directory of it with 'adsum snapshot restore FILE \
                --data-dir DIR' and start an agent there";
    Refusal::new(StatusCode::NOT_IMPLEMENTED, text)
}
