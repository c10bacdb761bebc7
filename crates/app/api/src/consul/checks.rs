//! `/v1/health/node|checks|state`: the checks themselves, of a node, of a service, of all in one state.

use adsum_catalog::Catalog;
use adsum_model::Revision;
use axum::extract::{Path, State};
use axum::response::Response;

use super::answer::{Refusal, at, json};
use super::catalog::Subject;
use super::entry::Check;
use super::filter;
use super::question::Question;
use crate::ApiState;
use crate::closing::Closing;

/// The checks of a node and of what runs there; none of a node that is unknown.
pub(crate) async fn of_node(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    question: Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    listed(&state, &question, &mut closing, |check| check.node == name).await
}

/// Those in a state, or `any`; a state that there is not has none.
pub(crate) async fn in_state(
    State(state): State<ApiState>,
    Path(status): Path<String>,
    question: Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    listed(&state, &question, &mut closing, |check| status == "any" || check.status == status).await
}

/// The checks of a service's instances.
pub(crate) async fn of_service(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    question: Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let choice = question.choice(&filter::CHECK)?;
    let subject = Subject::new(&name);
    let catalog = subject.catalog(&state, &question, &mut closing).await?;
    let service = subject.service(&catalog, &question);
    let instances = service.into_iter().flat_map(|state| state.live().map(move |instance| (state, instance)));
    let mut checks: Vec<Check<'_>> =
        instances.map(|(state, instance)| Check::of_instance(state, instance)).collect();
    checks.retain(|check| choice.takes(check));
    Ok(at(subject.index(&catalog), Some(question.consistency()), json(question.pretty, &checks)))
}

async fn listed(
    state: &ApiState,
    question: &Question,
    closing: &mut Closing,
    wanted: impl Fn(&Check<'_>) -> bool,
) -> Result<Response, Refusal> {
    let choice = question.choice(&filter::CHECK)?;
    let catalog = question.blocking.catalog(&state.store, question.stale, closing, index).await?;
    let mut checks = all(&catalog);
    checks.retain(|check| question.takes_nodes() && wanted(check) && choice.takes(check));
    Ok(at(index(&catalog), Some(question.consistency()), json(question.pretty, &checks)))
}

fn index(catalog: &Catalog) -> Revision {
    catalog.index_under("")
}

/// Of every node and of every instance that is not over.
pub(super) fn all(catalog: &Catalog) -> Vec<Check<'_>> {
    let nodes = catalog.nodes().map(|node| Check::of_node(&node.name));
    let services = catalog
        .services()
        .flat_map(|(_, service)| service.live().map(move |instance| Check::of_instance(service, instance)));
    nodes.chain(services).collect()
}
