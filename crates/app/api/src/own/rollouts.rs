//! `GET /api/services/NAME/rollouts`, `.../rollouts/N`, and the verbs that hold a rollout, let it go on and take it back.

use adsum_keyspace::Transaction;
use adsum_model::Name;
use adsum_rollout::desire::{self, Taken};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;

use super::Refusal;
use super::answer::{indexed, json};
use super::rollout::{Brief, Whole};
use super::service::Written;
use super::write::{Answer, Write};
use crate::ApiState;
use crate::blocking::Blocking;
use crate::closing::Closing;
use crate::query::Query;

/// Those that are kept, oldest first.
pub(crate) async fn list(
    State(state): State<ApiState>,
    Path(text): Path<String>,
    query: Query,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let name: Name = text.parse().map_err(|_| Refusal::unknown_service(&text))?;
    let blocking = Blocking::of(&query)?;
    let catalog = blocking.catalog(&state.store, false, &mut closing, |catalog| catalog.index(&name)).await?;
    let index = catalog.index(&name);
    if catalog.service(&name).is_none() {
        return Ok(indexed(index, Refusal::unknown_service(&text).into_response()));
    }
    let rollouts: Vec<Brief<'_>> = catalog.rollouts(&name).map(|rollout| Brief::of(rollout)).collect();
    Ok(indexed(index, json(StatusCode::OK, &rollouts)))
}

/// One, by its number, or the `latest`.
pub(crate) async fn get(
    State(state): State<ApiState>,
    Path((text, number)): Path<(String, String)>,
    query: Query,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let name: Name = text.parse().map_err(|_| Refusal::unknown_service(&text))?;
    let blocking = Blocking::of(&query)?;
    let catalog = blocking.catalog(&state.store, false, &mut closing, |catalog| catalog.index(&name)).await?;
    let index = catalog.index(&name);
    let Some(service) = catalog.service(&name) else {
        return Ok(indexed(index, Refusal::unknown_service(&text).into_response()));
    };
    let latest = service.service.as_ref().map(|service| service.rollout);
    let wanted = if number == "latest" { latest } else { number.parse().ok() };
    let Some(rollout) = wanted.and_then(|number| catalog.rollout(&name, number)) else {
        let kept: Vec<String> = catalog.rollouts(&name).map(|rollout| rollout.number.to_string()).collect();
        let kept = if kept.is_empty() { "none".to_string() } else { kept.join(", ") };
        let text = format!("service '{name}' has no rollout '{number}': kept are {kept}, or ask for latest");
        return Ok(indexed(index, Refusal::new(StatusCode::NOT_FOUND, text).into_response()));
    };
    let now = state.store.now().wall;
    Ok(indexed(index, json(StatusCode::OK, &Whole::of(rollout, now, index.0))))
}

pub(crate) async fn rollback(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    write: Write,
) -> Result<Response, Refusal> {
    carry_out(&state, &name, write, desire::rollback).await
}

pub(crate) async fn abort(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    write: Write,
) -> Result<Response, Refusal> {
    carry_out(&state, &name, write, desire::abort).await
}

pub(crate) async fn pause(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    write: Write,
) -> Result<Response, Refusal> {
    carry_out(&state, &name, write, desire::pause).await
}

pub(crate) async fn resume(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    write: Write,
) -> Result<Response, Refusal> {
    carry_out(&state, &name, write, desire::resume).await
}

async fn carry_out(
    state: &ApiState,
    text: &str,
    write: Write,
    verb: impl FnOnce(&mut Transaction<'_>, &Name) -> Result<Taken, desire::Refusal>,
) -> Result<Response, Refusal> {
    let name: Name = text.parse().map_err(|_| Refusal::unknown_service(text))?;
    write.fields(&[])?;
    let work = |tx: &mut Transaction<'_>| {
        let taken = verb(tx, &name)?;
        Ok(Answer::new(StatusCode::OK, &Written::of(taken, tx.revision())))
    };
    write.carry_out(&state.store, work).await
}
