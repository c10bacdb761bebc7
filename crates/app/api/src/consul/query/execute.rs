//! `GET /v1/query/NAME/execute` and `/explain`: what a query finds, and what it is with its patterns filled in.

use adsum_keyspace::Database;
use adsum_model::{PreparedQuery, Revision};
use adsum_query::Chosen;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;

use super::shape::{Dns, Shape};
use super::{PREFIX, not_found};
use crate::ApiState;
use crate::consul::answer::{Refusal, at, json};
use crate::consul::found::Found;
use crate::consul::health::Entry;
use crate::consul::near;
use crate::consul::question::Question;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Executed<'a> {
    service: String,
    nodes: Vec<Entry<'a>>,
    #[serde(rename = "DNS")]
    dns: Dns,
    datacenter: &'a str,
    /// How many other datacenters were asked. As Consul does it, those that are not known are passed over.
    failovers: u32,
    #[serde(flatten)]
    told: Told,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Explained {
    query: Shape,
    #[serde(flatten)]
    told: Told,
}

/// What Consul says here in the body that it says elsewhere in headers.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    index: u64,
    last_contact: u64,
    known_leader: bool,
    consistency_level: &'static str,
    not_modified: bool,
    backend: u8,
}

/// The instances that answer; `?limit=N` has so many at most.
pub(crate) async fn execute(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    question: Question,
) -> Result<Response, Refusal> {
    let catalog = state.store.catalog().await?;
    let PreparedQuery { service: query, ttl, .. } =
        adsum_query::find(&catalog, &name).ok_or_else(not_found)?;
    let limit = question.query.text("limit").map(|limit| limit.parse::<usize>()).transpose();
    let limit = limit.map_err(|_| Refusal::bad("Invalid limit"))?.filter(|limit| *limit > 0);
    let found = |chosen| match chosen {
        Chosen::Run(service, instance) => Found::Run(service, instance),
        Chosen::Registered(service) => Found::Registered(service),
    };
    let mut chosen: Vec<Found<'_>> =
        adsum_query::instances(&catalog, &query).into_iter().map(found).collect();
    let near = question.query.text("near").unwrap_or_else(|| query.near.clone());
    near::sort(Some(&near), state.about.node.as_str(), &mut chosen, |found| found.node());
    chosen.truncate(limit.unwrap_or(usize::MAX));
    let nodes: Vec<Entry<'_>> = chosen.iter().map(|found| Entry::of(&state, &catalog, found)).collect();
    if let (Ok(service), false) = (query.service.parse(), nodes.is_empty()) {
        state.store.directory().asked(&service);
    }
    let told = Told::of(&question);
    let (dns, datacenter) = (Dns { ttl }, state.about.datacenter.as_str());
    let executed = Executed { service: query.service, nodes, dns, datacenter, failovers: 0, told };
    Ok(at(Revision(1), Some(question.consistency()), json(question.pretty, &executed)))
}

pub(crate) async fn explain(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    question: Question,
) -> Result<Response, Refusal> {
    let catalog = state.store.catalog().await?;
    let query = adsum_query::find(&catalog, &name).ok_or_else(not_found)?;
    let key = [PREFIX, query.id.as_bytes()].concat();
    let entry = state.store.try_commit(|tx| tx.get(Database::System, &key).cloned()).await?;
    let entry = entry.ok_or_else(not_found)?;
    let explained = Explained { query: Shape::of(query, &entry), told: Told::of(&question) };
    Ok(at(Revision(1), Some(question.consistency()), json(question.pretty, &explained)))
}

impl Told {
    fn of(question: &Question) -> Told {
        Told {
            index: 1,
            last_contact: 0,
            known_leader: true,
            consistency_level: question.consistency(),
            not_modified: false,
            backend: 0,
        }
    }
}
