//! `/v1/health/node|checks|state`: the checks themselves, of a node, of a service, of all in one state.

use adsum_catalog::Catalog;
use adsum_model::Revision;
use axum::extract::{Path, State};
use axum::response::Response;

use super::answer::{Refusal, json};
use super::catalog::Subject;
use super::entry::{Check, Node};
use super::filter;
use super::found::Found;
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
    let found = subject.found(&state, &catalog, &question);
    let mut checks: Vec<Check<'_>> = found.iter().flat_map(|found| found.checks(&catalog)).collect();
    checks.retain(|check| choice.takes(check));
    Ok(question.at(subject.index(&catalog), json(question.pretty, &checks)))
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
    checks.retain(|check| wanted(check) && choice.takes(check));
    if question.asks_for_nodes() {
        let is_taken =
            |name: &str| Node::named(state, &catalog, name).is_some_and(|node| question.takes_node(&node));
        checks.retain(|check| is_taken(check.node));
    }
    question.sort_near(state.about.node.as_str(), &mut checks, |check| check.node);
    Ok(question.at(index(&catalog), json(question.pretty, &checks)))
}

fn index(catalog: &Catalog) -> Revision {
    catalog.index_of_all()
}

/// Of every node with an agent, of every instance that is not over, and those that are registered.
pub(super) fn all(catalog: &Catalog) -> Vec<Check<'_>> {
    let agents = catalog.nodes().map(|node| Check::agent(node.name.as_str()));
    let instances = Found::all(catalog).filter(|found| matches!(found, Found::Run(..)));
    let instances = instances.flat_map(|found| found.checks(catalog));
    let registered = catalog.registry().checks().map(|check| Check::registered(catalog, check));
    agents.chain(instances).chain(registered).collect()
}
