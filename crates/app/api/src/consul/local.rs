//! `/v1/agent/services|service|checks|members|health`: what runs on the node that answers.

use std::collections::BTreeMap;

use adsum_catalog::{Catalog, ServiceState};
use adsum_model::Instance;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;

use super::answer::{Refusal, json};
use super::entry::{self, Address, Check, WEIGHTS, Weights};
use super::filter;
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
    meta: BTreeMap<&'static str, String>,
    port: u16,
    address: String,
    tagged_addresses: BTreeMap<&'static str, Address>,
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
    checks: Option<[Check<'a>; 1]>,
}

/// By their ids.
pub(crate) async fn services(State(state): State<ApiState>, question: Question) -> Result<Response, Refusal> {
    let choice = question.choice(&filter::SERVICE)?;
    let catalog = state.store.catalog().await?;
    let here = here(&state, &catalog).map(|(service, instance)| Service::of(&state, service, instance));
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
    let Some((of, instance)) = find(&state, &catalog, &id) else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, format!("unknown service ID: {id}")));
    };
    let mut service = Service::of(&state, of, instance);
    service.content_hash = hash_of(&state, &catalog, &id);
    let hash = service.content_hash.as_deref().and_then(|hash| HeaderValue::from_str(hash).ok());
    let mut response = json(question.pretty, &service);
    response.headers_mut().extend(hash.map(|hash| (HeaderName::from_static("x-consul-contenthash"), hash)));
    Ok(response)
}

/// By their ids. The node's own check is none of them.
pub(crate) async fn checks(State(state): State<ApiState>, question: Question) -> Result<Response, Refusal> {
    let choice = question.choice(&filter::CHECK)?;
    let catalog = state.store.catalog().await?;
    let here = here(&state, &catalog).map(|(service, instance)| Check::of_instance(service, instance));
    let checks: BTreeMap<String, Check<'_>> =
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
    let Some((service, instance)) = find(&state, &catalog, &id) else {
        let nothing = Aggregated { aggregated_status: "critical", service: None, checks: None };
        let reason = format!("ServiceId {id} not found");
        return Ok(question.told(StatusCode::NOT_FOUND, &reason, &nothing));
    };
    let aggregated = Aggregated::of(&state, service, instance);
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
    let named = here(&state, &catalog).filter(|(_, instance)| instance.service.as_str() == name);
    let all: Vec<Aggregated<'_>> =
        named.map(|(service, instance)| Aggregated::of(&state, service, instance)).collect();
    let worst = ["critical", "warning", "passing"]
        .into_iter()
        .find(|status| all.iter().any(|one| one.aggregated_status == *status));
    let Some(worst) = worst else {
        return Ok(question.told(StatusCode::NOT_FOUND, &format!("ServiceName {name} Not Found"), &all));
    };
    Ok(question.told(code(worst), worst, &all))
}

impl<'a> Service<'a> {
    fn of(state: &'a ApiState, service: &'a ServiceState, instance: &'a Instance) -> Service<'a> {
        Service {
            id: instance.id.as_str(),
            service: instance.service.as_str(),
            tags: entry::tags(service),
            meta: entry::meta(instance),
            port: instance.endpoint.port(),
            address: instance.endpoint.ip().to_string(),
            tagged_addresses: entry::tagged_addresses(instance.endpoint),
            weights: WEIGHTS,
            enable_tag_override: false,
            content_hash: None,
            datacenter: &state.about.datacenter,
        }
    }
}

impl<'a> Aggregated<'a> {
    fn of(state: &'a ApiState, service: &'a ServiceState, instance: &'a Instance) -> Aggregated<'a> {
        let check = Check::of_instance(service, instance);
        Aggregated {
            aggregated_status: check.status,
            service: Some(Service::of(state, service, instance)),
            checks: Some([check]),
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

/// What runs on this node, and is not over.
fn here<'a>(
    state: &'a ApiState,
    catalog: &'a Catalog,
) -> impl Iterator<Item = (&'a ServiceState, &'a Instance)> {
    let live = catalog
        .services()
        .flat_map(|(_, service)| service.live().map(move |instance| (&**service, &**instance)));
    live.filter(|(_, instance)| instance.node == state.about.node)
}

fn find<'a>(state: &'a ApiState, catalog: &'a Catalog, id: &str) -> Option<(&'a ServiceState, &'a Instance)> {
    here(state, catalog).find(|(_, instance)| instance.id.as_str() == id)
}

/// Of all that is told of it.
fn hash_of(state: &ApiState, catalog: &Catalog, id: &str) -> Option<String> {
    let (service, instance) = find(state, catalog, id)?;
    let told = serde_json::to_vec(&Service::of(state, service, instance));
    let told = told.expect("our own shapes have a JSON form");
    Some(format!("{:016x}", fingerprint(&[&told]) as u64))
}
