//! `PUT /v1/agent/check/...`: checks of this node and of the services that are registered there, and what clients say of
//! those with a TTL.

use adsum_catalog::checks::cut;
use adsum_catalog::register;
use adsum_model::registered::Status;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;

use super::answer::Refusal;
use super::commit::commit;
use super::definition;
use super::fields::Fields;
use super::service::refuse_growth;
use crate::ApiState;
use crate::query::Query;

pub(crate) async fn register(State(state): State<ApiState>, body: Body) -> Result<Response, Refusal> {
    let fields = Fields::read(body).await?;
    let check = definition::lone_check(state.about.node.as_str(), &fields)?;
    definition::refuse_scripts(std::slice::from_ref(&check), state.about.script_checks)?;
    refuse_growth(&state)?;
    commit(&state, |tx| register::register_check(tx, check)).await??;
    Ok(StatusCode::OK.into_response())
}

pub(crate) async fn deregister(
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let node = state.about.node.as_str();
    let was_there = commit(&state, |tx| register::deregister_check(tx, node, &id)).await?;
    if was_there { Ok(StatusCode::OK.into_response()) } else { Err(unknown(&id)) }
}

/// With what it says in `?note=`.
pub(crate) async fn pass(
    state: State<ApiState>,
    id: Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    say(&state, &id, Status::Passing, note(&query)).await
}

pub(crate) async fn warn(
    state: State<ApiState>,
    id: Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    say(&state, &id, Status::Warning, note(&query)).await
}

pub(crate) async fn fail(
    state: State<ApiState>,
    id: Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    say(&state, &id, Status::Critical, note(&query)).await
}

/// `{"Status": "passing", "Output": "..."}`
pub(crate) async fn update(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body).await?;
    let word = fields.text("Status")?;
    let status = Status::of(&word).ok_or_else(|| Refusal::bad(format!("Invalid check status: '{word}'")))?;
    say(&state, &id, status, fields.text("Output")?).await
}

fn note(query: &Query) -> String {
    query.text("note").unwrap_or_default()
}

async fn say(state: &ApiState, id: &str, status: Status, output: String) -> Result<Response, Refusal> {
    let (node, output) = (state.about.node.as_str(), cut(output));
    let heard = commit(state, |tx| {
        let heard = register::heard(tx, node, id, status, &output);
        (heard, register::check(tx, node, id).is_some())
    });
    match heard.await? {
        (true, _) => Ok(StatusCode::OK.into_response()),
        (false, true) => Err(Refusal::failed(format!("CheckID \"{id}\" does not have associated TTL"))),
        (false, false) => Err(unknown(id)),
    }
}

fn unknown(id: &str) -> Refusal {
    let text = format!("Unknown check ID \"{id}\". Ensure that the check ID is passed, not the check name.");
    Refusal::new(StatusCode::NOT_FOUND, text)
}
