//! `GET /api/services` and `GET /api/services/NAME`.

use adsum_model::Name;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;

use super::Refusal;
use super::answer::{indexed, json};
use super::hold::Holds;
use super::service::{Summary, Whole, is_converged, plan_of};
use crate::ApiState;
use crate::blocking::Blocking;
use crate::closing::Closing;
use crate::query::Query;

/// All services, or those whose name begins with `?prefix=`.
pub(crate) async fn list(
    State(state): State<ApiState>,
    query: Query,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let prefix = query.text("prefix").unwrap_or_default();
    let blocking = Blocking::of(&query)?;
    let catalog =
        blocking.catalog(&state.store, false, &mut closing, |catalog| catalog.index_under(&prefix)).await?;
    let plans: Vec<_> = catalog
        .services_under(&prefix)
        .map(|(name, service)| (name, service, plan_of(&state, &catalog, name, service)))
        .collect();
    let summaries: Vec<Summary<'_>> =
        plans.iter().map(|(name, service, plan)| Summary::of(name, service, plan, &catalog)).collect();
    Ok(indexed(catalog.index_under(&prefix), json(StatusCode::OK, &summaries)))
}

/// One service with its instances and what it waits for. Blocks for a service that is unknown, too.
pub(crate) async fn get(
    State(state): State<ApiState>,
    Path(text): Path<String>,
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
    let plan = plan_of(&state, &catalog, &name, service);
    if is_converged(&plan) {
        // Who reads that everything is as wanted may send requests at once.
        state.routing.reached(&catalog).await;
    }
    let holds = Holds::of(&state.routing, &catalog);
    let tick = state.store.now().tick;
    Ok(indexed(index, json(StatusCode::OK, &Whole::of(&name, service, &plan, &catalog, &holds, tick))))
}
