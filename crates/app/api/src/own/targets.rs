//! `GET /api/targets`: the instances that are not over, in the form in which Prometheus finds what it scrapes
//! (<https://prometheus.io/docs/prometheus/latest/http_sd/>); `?service=` and `?tag=` choose.

use std::collections::BTreeMap;

use adsum_catalog::ServiceState;
use adsum_model::Instance;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use serde::Serialize;

use super::Refusal;
use super::answer::json;
use crate::ApiState;
use crate::query::Query;

/// One instance, so that each has labels of its own.
#[derive(Serialize)]
struct Group {
    targets: [String; 1],
    labels: BTreeMap<&'static str, String>,
}

pub(crate) async fn list(State(state): State<ApiState>, query: Query) -> Result<Response, Refusal> {
    let catalog = state.store.catalog().await?;
    let (name, tags) = (query.text("service"), query.all("tag"));
    let chosen = catalog.services().filter(|(service, state)| {
        let named = name.as_ref().is_none_or(|name| name == service.as_str());
        named && tags.iter().all(|tag| tags_of(state).contains(tag))
    });
    let groups: Vec<Group> =
        chosen.flat_map(|(_, state)| state.live().map(move |instance| group(state, instance))).collect();
    Ok(json(StatusCode::OK, &groups))
}

fn group(state: &ServiceState, instance: &Instance) -> Group {
    // Commas around, so that a whole tag can be looked for: `.*,blue,.*`.
    let tags: String = tags_of(state).iter().map(|tag| format!("{tag},")).collect();
    let labels = [
        ("__meta_adsum_service", instance.service.to_string()),
        ("__meta_adsum_instance", instance.id.to_string()),
        ("__meta_adsum_node", instance.node.to_string()),
        ("__meta_adsum_slot", instance.slot.to_string()),
        ("__meta_adsum_version", instance.version.to_string()),
        ("__meta_adsum_health", instance.health.to_string()),
        ("__meta_adsum_tags", format!(",{tags}")),
    ];
    Group { targets: [instance.endpoint.to_string()], labels: labels.into() }
}

fn tags_of(state: &ServiceState) -> &[String] {
    state.service.as_ref().map_or(&[], |service| &service.spec.tags)
}
