//! `/v1/catalog/node/NAME` and `/v1/catalog/node-services/NAME`: a node with what runs there.

use std::collections::BTreeMap;

use adsum_catalog::Catalog;
use adsum_model::Revision;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;

use super::answer::{Refusal, at, json};
use super::entry::{Node, Service};
use super::filter;
use super::found::Found;
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
    let whole = Node::named(state, &catalog, name).map(|node| {
        let services = Found::on(&catalog, &node.node);
        let mut services: Vec<Service<'_>> = services.iter().map(Service::of).collect();
        services.retain(|service| choice.takes(service));
        Whole { node, services: form.of(services) }
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

fn index(catalog: &Catalog) -> Revision {
    catalog.index_of_all()
}
