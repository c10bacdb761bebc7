//! `GET /api/targets`: the instances that are not over, and what clients have registered, in the form in which Prometheus
//! finds what it scrapes (<https://prometheus.io/docs/prometheus/latest/http_sd/>); `?service=` and `?tag=` choose.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use adsum_catalog::{Catalog, ServiceState};
use adsum_model::{Instance, registered};
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use serde::Serialize;

use super::Refusal;
use super::answer::json;
use crate::ApiState;
use crate::query::Query;

/// One place, so that each has labels of its own.
#[derive(Serialize)]
struct Group {
    targets: [String; 1],
    labels: BTreeMap<&'static str, String>,
}

pub(crate) async fn list(State(state): State<ApiState>, query: Query) -> Result<Response, Refusal> {
    let catalog = state.store.catalog().await?;
    let (name, tags) = (query.text("service"), query.all("tag"));
    let named = |other: &str| name.as_ref().is_none_or(|name| name.eq_ignore_ascii_case(other));
    let tagged = |own: &[String]| tags.iter().all(|tag| own.contains(tag));
    let run = catalog.services().filter(|(service, state)| named(service.as_str()) && tagged(tags_of(state)));
    let run = run.flat_map(|(_, state)| state.live().map(move |instance| Group::of(state, instance)));
    let registered = catalog.registry().services();
    let registered = registered.filter(|service| named(&service.service) && tagged(&service.tags));
    let registered = registered.filter_map(|service| Group::registered(&catalog, service));
    let groups: Vec<Group> = run.chain(registered).collect();
    Ok(json(StatusCode::OK, &groups))
}

impl Group {
    fn of(state: &ServiceState, instance: &Instance) -> Group {
        let labels = [
            ("__meta_adsum_service", instance.service.to_string()),
            ("__meta_adsum_instance", instance.id.to_string()),
            ("__meta_adsum_node", instance.node.to_string()),
            ("__meta_adsum_slot", instance.slot.to_string()),
            ("__meta_adsum_version", instance.version.to_string()),
            ("__meta_adsum_health", instance.health.to_string()),
            ("__meta_adsum_tags", joined(tags_of(state))),
        ];
        Group { targets: [instance.endpoint.to_string()], labels: labels.into() }
    }

    /// None of what has no port, or no address that is known.
    fn registered(catalog: &Catalog, service: &registered::Service) -> Option<Group> {
        let address = Some(service.address.clone()).filter(|address| !address.is_empty());
        let address = address.or_else(|| catalog.address_of(&service.node))?;
        // An IPv6 address has brackets before its port.
        let target = match address.parse::<IpAddr>() {
            Ok(address) => SocketAddr::from((address, service.port)).to_string(),
            Err(_) => format!("{address}:{}", service.port),
        };
        let labels = [
            ("__meta_adsum_service", service.service.clone()),
            ("__meta_adsum_instance", service.id.clone()),
            ("__meta_adsum_node", service.node.clone()),
            ("__meta_adsum_health", catalog.registry().status(service).to_string()),
            ("__meta_adsum_tags", joined(&service.tags)),
        ];
        (service.port != 0).then(|| Group { targets: [target], labels: labels.into() })
    }
}

/// Commas around, so that a whole tag can be looked for: `.*,blue,.*`.
fn joined(tags: &[String]) -> String {
    let tags: String = tags.iter().map(|tag| format!("{tag},")).collect();
    format!(",{tags}")
}

fn tags_of(state: &ServiceState) -> &[String] {
    state.service.as_ref().map_or(&[], |service| &service.spec.tags)
}
