//! `/v1/agent/services|service|checks|members|health`: what runs on the node that answers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use adsum_catalog::Catalog;
use adsum_model::registered::Status;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;

use super::answer::{Refusal, json};
use super::entry::{Address, Check, Weights};
use super::filter;
use super::found::Found;
use super::question::Question;
use crate::ApiState;
use crate::closing::Closing;
use crate::entrance::plain;
use crate::fingerprint::fingerprint;

/// A service as its own agent tells it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Service<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    service: &'a str,
    tags: &'a [String],
    meta: BTreeMap<String, String>,
    port: u16,
    address: Cow<'a, str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tagged_addresses: BTreeMap<String, Address>,
    weights: Weights,
    enable_tag_override: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_hash: Option<String>,
    datacenter: &'a str,
}

/// How a service is, with all that it follows from.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Aggregated<'a> {
    aggregated_status: &'static str,
    service: Option<Service<'a>>,
    checks: Option<Vec<Check<'a>>>,
}

/// By their ids.
pub(crate) async fn services(State(state): State<ApiState>, question: Question) -> Result<Response, Refusal> {
    let choice = question.choice(&filter::SERVICE)?;
    let catalog = state.store.catalog().await?;
    let here = here(&state, &catalog);
    let here = here.iter().map(|found| Service::of(&state, found));
    let services: BTreeMap<&str, Service<'_>> =
        here.filter(|service| choice.takes(service)).map(|service| (service.id, service)).collect();
    Ok(json(question.pretty, &services))
}

/// One by its id. With `?hash=` it is answered when it is no longer as that says, or after `?wait=`.
pub(crate) async fn service(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    question: Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let known = question.query.text("hash").filter(|hash| !hash.is_empty());
    let changed = |catalog: &Catalog| known.is_none() || hash_of(&state, catalog, &id) != known;
    let catalog = question.blocking.until(&state.store, question.stale, &mut closing, changed).await?;
    let Some(found) = find(&state, &catalog, &id) else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, format!("unknown service ID: {id}")));
    };
    let mut service = Service::of(&state, &found);
    service.content_hash = hash_of(&state, &catalog, &id);
    let hash = service.content_hash.as_deref().and_then(|hash| HeaderValue::from_str(hash).ok());
    let mut response = json(question.pretty, &service);
    response.headers_mut().extend(hash.map(|hash| (HeaderName::from_static("x-consul-contenthash"), hash)));
    Ok(response)
}

/// By their ids. That the agent is there is none of them.
pub(crate) async fn checks(State(state): State<ApiState>, question: Question) -> Result<Response, Refusal> {
    let choice = question.choice(&filter::CHECK)?;
    let catalog = state.store.catalog().await?;
    let node = catalog.registry().checks_of(state.about.node.as_str(), "");
    let here = here(&state, &catalog).into_iter().flat_map(|found| found.checks(&catalog));
    let here = node.map(|check| Check::registered(&catalog, check)).chain(here);
    let checks: BTreeMap<Cow<'_, str>, Check<'_>> =
        here.filter(|check| choice.takes(check)).map(|check| (check.id.clone(), check)).collect();
    Ok(json(question.pretty, &checks))
}

/// 200, 429 or 503 by how it is, for load balancers that look at the status alone; `?format=text`.
pub(crate) async fn health_by_id(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    question: Question,
) -> Result<Response, Refusal> {
    let catalog = state.store.catalog().await?;
    let Some(found) = find(&state, &catalog, &id) else {
        let nothing = Aggregated { aggregated_status: "critical", service: None, checks: None };
        let reason = format!("ServiceId {id} not found");
        return Ok(question.told(StatusCode::NOT_FOUND, &reason, &nothing));
    };
    let aggregated = Aggregated::of(&state, &catalog, &found);
    let status = aggregated.aggregated_status;
    Ok(question.told(code(status), status, &aggregated))
}

/// The worst of all of them that run here.
pub(crate) async fn health_by_name(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    question: Question,
) -> Result<Response, Refusal> {
    let catalog = state.store.catalog().await?;
    let here = here(&state, &catalog);
    let named = || here.iter().filter(|found| found.name().eq_ignore_ascii_case(&name));
    let all: Vec<Aggregated<'_>> = named().map(|found| Aggregated::of(&state, &catalog, found)).collect();
    let worst = named().map(|found| found.status(&catalog)).max().map(Status::as_str);
    let Some(worst) = worst else {
        return Ok(question.told(StatusCode::NOT_FOUND, &format!("ServiceName {name} Not Found"), &all));
    };
    Ok(question.told(code(worst), worst, &all))
}

impl<'a> Service<'a> {
    fn of(state: &'a ApiState, found: &Found<'a>) -> Service<'a> {
        Service {
            id: found.id(),
            service: found.name(),
            tags: found.tags(),
            meta: found.meta(),
            port: found.port(),
            address: found.address(),
            tagged_addresses: found.tagged_addresses(),
            weights: Weights::of(found),
            enable_tag_override: found.enable_tag_override(),
            content_hash: None,
            datacenter: &state.about.datacenter,
        }
    }
}

impl<'a> Aggregated<'a> {
    fn of(state: &'a ApiState, catalog: &'a Catalog, found: &Found<'a>) -> Aggregated<'a> {
        let node = catalog.registry().checks_of(found.node(), "");
        let node = node.map(|check| Check::registered(catalog, check));
        Aggregated {
            aggregated_status: found.status(catalog).as_str(),
            service: Some(Service::of(state, found)),
            checks: Some(node.chain(found.checks(catalog)).collect()),
        }
    }
}

impl Question {
    /// As a text where that is asked for.
    fn told(&self, status: StatusCode, text: &str, shape: &impl Serialize) -> Response {
        if self.query.text("format").as_deref() == Some("text") {
            return plain(status, text.to_string());
        }
        (status, json(self.pretty, shape)).into_response()
    }
}

fn code(status: &str) -> StatusCode {
    match status {
        "passing" => StatusCode::OK,
        "warning" => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What runs on this node, and is not over, or is registered there.
fn here<'a>(state: &ApiState, catalog: &'a Catalog) -> Vec<Found<'a>> {
    Found::on(catalog, state.about.node.as_str())
}

fn find<'a>(state: &ApiState, catalog: &'a Catalog, id: &str) -> Option<Found<'a>> {
    Found::one(catalog, state.about.node.as_str(), id)
}

/// Of all that is told of it.
fn hash_of(state: &ApiState, catalog: &Catalog, id: &str) -> Option<String> {
    let told = serde_json::to_vec(&Service::of(state, &find(state, catalog, id)?));
    let told = told.expect("our own shapes have a JSON form");
    Some(format!("{:016x}", fingerprint(&[&told]) as u64))
}
