//! `/v1/catalog/node/NAME` and `/v1/catalog/node-services/NAME`: a node with what runs there.

use std::collections::BTreeMap;

use adsum_catalog::Catalog;
use adsum_model::{Name, Revision};
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;

use super::answer::{Refusal, at, json};
use super::entry::{self, Node, Service};
use super::filter;
use super::question::Question;
use crate::ApiState;
use crate::closing::Closing;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Whole<'a> {
    node: Node,
    services: Services<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Services<'a> {
    ById(BTreeMap<&'a str, Service<'a>>),
    Listed(Vec<Service<'a>>),
}

/// How the services are given.
enum Form {
    ById,
    Listed,
}

pub(crate) async fn by_id(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    question: Question,
    closing: Closing,
) -> Result<Response, Refusal> {
    node(&state, &name, Form::ById, question, closing).await
}

pub(crate) async fn listed(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    question: Question,
    closing: Closing,
) -> Result<Response, Refusal> {
    node(&state, &name, Form::Listed, question, closing).await
}

/// `null` of a node that is unknown.
async fn node(
    state: &ApiState,
    name: &str,
    form: Form,
    question: Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let choice = question.choice(&filter::SERVICE)?;
    let catalog = question.blocking.catalog(&state.store, question.stale, &mut closing, index).await?;
    let known = name.parse::<Name>().ok().and_then(|name| catalog.node(&name).cloned());
    let whole = known.map(|known| {
        let mut services = services_on(&catalog, &known.name);
        services.retain(|service| choice.takes(service));
        Whole { node: entry::node(state, &known.name, known.address), services: form.of(services) }
    });
    Ok(at(index(&catalog), Some(question.consistency()), json(question.pretty, &whole)))
}

impl Form {
    fn of<'a>(&self, services: Vec<Service<'a>>) -> Services<'a> {
        match self {
            Form::ById => Services::ById(services.into_iter().map(|service| (service.id, service)).collect()),
            Form::Listed => Services::Listed(services),
        }
    }
}

fn services_on<'a>(catalog: &'a Catalog, node: &Name) -> Vec<Service<'a>> {
    let live =
        catalog.services().flat_map(|(_, service)| service.live().map(move |instance| (service, instance)));
    let here = live.filter(|(_, instance)| instance.node == *node);
    here.map(|(service, instance)| Service::of(service, instance)).collect()
}

fn index(catalog: &Catalog) -> Revision {
    catalog.index_under("")
}
