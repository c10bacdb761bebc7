//! `/v1/status`: what liveness probes and test suites wait for.

use axum::extract::State;
use axum::response::Response;

use super::answer::{Refusal, json};
use super::question::check_datacenter;
use crate::ApiState;
use crate::query::Query;

/// `"127.0.0.1:8500"`: this process, where it is reached.
pub(crate) async fn leader(State(state): State<ApiState>, query: Query) -> Result<Response, Refusal> {
    check_datacenter(&query, &state.about.datacenter)?;
    Ok(json(query.asks("pretty"), &address(&state)))
}

pub(crate) async fn peers(State(state): State<ApiState>, query: Query) -> Result<Response, Refusal> {
    check_datacenter(&query, &state.about.datacenter)?;
    Ok(json(query.asks("pretty"), &[address(&state)]))
}

fn address(state: &ApiState) -> String {
    state.about.faces.http.map_or_else(String::new, |address| address.to_string())
}
