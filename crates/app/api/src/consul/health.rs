//! `GET /v1/health/service/NAME`: where the instances of a service are, and how they are.

use adsum_catalog::ServiceState;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;

use super::answer::{Refusal, at, json};
use super::catalog::Subject;
use super::entry::{self, Check, Node, Service};
use super::filter;
use super::question::Question;
use crate::ApiState;
use crate::closing::Closing;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    node: Node,
    service: Service<'a>,
    checks: [Check<'a>; 2],
}

/// Those that are not over; with `?passing` those that get traffic; with `?tag=` those with all these tags; `?filter=`.
pub(crate) async fn service(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    question: Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let passing = question.query.asks("passing");
    let choice = question.choice(&filter::ENTRY)?;
    let subject = Subject::new(&name);
    let catalog = subject.catalog(&state, &question, &mut closing).await?;
    let service = subject.service(&catalog, &question);
    let live = service.into_iter().flat_map(ServiceState::live);
    let instances = live.filter(|instance| !passing || instance.is_routable());
    let entries: Vec<Entry<'_>> = instances
        .filter_map(|instance| {
            let service = service?;
            Some(Entry {
                node: entry::node_of(&state, &catalog, instance),
                service: Service::of(service, instance),
                checks: [Check::of_node(&instance.node), Check::of_instance(service, instance)],
            })
        })
        .filter(|entry| choice.takes(entry))
        .collect();
    subject.note_answered(&state, entries.len());
    Ok(at(subject.index(&catalog), Some(question.consistency()), json(question.pretty, &entries)))
}
