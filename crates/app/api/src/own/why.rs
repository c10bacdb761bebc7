//! `GET /api/services/NAME/why`: why an instance does or does not run, and does or does not get traffic.
//!
//! The answer begins with a sentence, for the service and for each instance. Below it stands a chain of facts, each
//! resting on those before it: the first that does not hold is the reason.

use adsum_catalog::{Catalog, ServiceState};
use adsum_keyspace::{Database, Transaction};
use adsum_model::{Instance, Name};
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use serde::Serialize;

use super::Refusal;
use super::answer::json;
use super::service::{is_converged, plan_of};
use crate::ApiState;
use routing::Seen;

mod conclusion;
mod instance;
mod routing;
mod service;

#[derive(Serialize)]
struct Why<'a> {
    name: &'a str,
    conclusion: String,
    facts: Vec<Fact>,
    waiting_on: Vec<String>,
    instances: Vec<Chain<'a>>,
}

#[derive(Serialize)]
struct Chain<'a> {
    id: &'a str,
    name: String,
    conclusion: String,
    facts: Vec<Fact>,
}

#[derive(Clone, Serialize)]
struct Fact {
    fact: &'static str,
    holds: bool,
    detail: String,
    /// Of the record that says so, or of the route table.
    revision: Option<u64>,
}

/// The records that facts are about, each with the revision at which it was last written.
struct Revisions(Vec<(String, Option<u64>)>);

pub(crate) async fn get(
    State(state): State<ApiState>,
    Path(text): Path<String>,
) -> Result<Response, Refusal> {
    let name: Name = text.parse().map_err(|_| Refusal::unknown_service(&text))?;
    let catalog = state.store.catalog().await?;
    let service = catalog.service(&name).ok_or_else(|| Refusal::unknown_service(&text))?;
    let revisions = Revisions::of(&state, keys(&name, service)).await?;
    let plan = plan_of(&state, &catalog, &name, service);
    let seen = Seen::of(&state.routing, &catalog);
    let subject = Subject {
        name: &name,
        state: service,
        catalog: &catalog,
        tick: state.store.now().tick,
        converged: is_converged(&plan),
    };
    let chain = |instance| chain(&subject, &seen, &revisions, instance);
    let why = Why {
        name: name.as_str(),
        conclusion: conclusion::of_service(&subject, &seen),
        facts: [service::facts(&subject, &revisions), seen.service_facts(&name)].concat(),
        waiting_on: plan.waiting_on.iter().map(ToString::to_string).collect(),
        instances: service.instances.iter().map(|instance| chain(instance)).collect(),
    };
    Ok(json(StatusCode::OK, &why))
}

/// What is asked about, as of one revision and one moment.
struct Subject<'a> {
    name: &'a Name,
    state: &'a ServiceState,
    catalog: &'a Catalog,
    tick: u64,
    converged: bool,
}

fn chain<'a>(subject: &Subject<'_>, seen: &Seen, revisions: &Revisions, instance: &'a Instance) -> Chain<'a> {
    Chain {
        id: instance.id.as_str(),
        name: instance.title(),
        conclusion: conclusion::of_instance(subject, seen, instance),
        facts: [instance::facts(subject, revisions, instance), seen.instance_facts(instance)].concat(),
    }
}

/// See `adsum_catalog::records` for their forms.
fn keys(name: &Name, state: &ServiceState) -> Vec<String> {
    let rollout = state.service.as_ref().map_or(0, |service| service.rollout);
    let own = [format!("service/{name}"), format!("rollout/{name}/{rollout:010}")];
    let mut nodes: Vec<String> = state.instances.iter().map(|it| format!("node/{}", it.node)).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let instances = state.instances.iter().map(|instance| format!("instance/{}", instance.id));
    own.into_iter().chain(nodes).chain(instances).collect()
}

impl Revisions {
    async fn of(state: &ApiState, keys: Vec<String>) -> Result<Revisions, Refusal> {
        let read = |tx: &mut Transaction<'_>, key: &str| {
            tx.get(Database::System, key.as_bytes()).map(|entry| entry.modified.0)
        };
        let found: Vec<Option<u64>> =
            state.store.commit(|tx| keys.iter().map(|key| read(tx, key)).collect()).await?;
        Ok(Revisions(keys.into_iter().zip(found).collect()))
    }

    fn at(&self, key: &str) -> Option<u64> {
        self.0.iter().find(|(known, _)| known == key).and_then(|(_, revision)| *revision)
    }

    /// Of the first record of a kind.
    fn of_kind(&self, kind: &str) -> Option<u64> {
        self.0.iter().find(|(known, _)| known.starts_with(kind)).and_then(|(_, revision)| *revision)
    }
}
