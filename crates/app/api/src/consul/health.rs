//! `GET /v1/health/service/NAME`: where the instances of a service are, and how they are.

use adsum_model::registered::Status;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;

use super::answer::{Refusal, at, json};
use super::catalog::Subject;
use super::entry::{Check, Node, Service};
use super::filter;
use super::question::Question;
use crate::ApiState;
use crate::closing::Closing;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    node: Node,
    service: Service<'a>,
    checks: Vec<Check<'a>>,
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
    let found = subject.found(&state, &catalog, &question);
    let found = found.iter().filter(|found| !passing || found.status(&catalog) == Status::Passing);
    let entries = found.map(|found| Entry {
        node: Node::of(&state, &catalog, found),
        service: Service::of(found),
        checks: [Check::of_node(&catalog, found.node()), found.checks(&catalog)]
            .into_iter()
            .flatten()
            .collect(),
    });
    let entries: Vec<Entry<'_>> = entries.filter(|entry| choice.takes(entry)).collect();
    subject.note_answered(&state, entries.len());
    Ok(at(subject.index(&catalog), Some(question.consistency()), json(question.pretty, &entries)))
}
