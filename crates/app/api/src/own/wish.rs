//! `PUT`, `PATCH` and `DELETE /api/services/NAME`: what is wanted of a service.

use adsum_catalog::records;
use adsum_keyspace::Transaction;
use adsum_model::{Name, Spec};
use adsum_rollout::desire::{self, Novelty};
use adsum_stack::{Draft, Problem, spec};
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use hyper::{HeaderMap, StatusCode};
use serde_json::Value;

use super::service::Written;
use super::write::{Answer, Write};
use super::{Refusal, draft, offer, patch};
use crate::ApiState;
use crate::query::Query;

/// Whether the service has to be there (RFC 9110 13.1).
#[derive(Clone, Copy, PartialEq)]
enum Condition {
    None,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match: *`
    Present,
}

/// Creates or replaces.
pub(crate) async fn put(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    write: Write,
) -> Result<Response, Refusal> {
    let condition = condition(&write.headers)?;
    let spec = read(&name, &write.json()?)?;
    write
        .carry_out(&state.store, |tx| {
            let there = records::service(tx, &spec.name);
            if there.as_ref().is_some_and(|service| service.removed) {
                return Err(desire::Refusal::BeingRemoved(spec.name).into());
            }
            check_condition(condition, &name, there.is_some())?;
            offer::check(&state, there.as_ref().map(|service| &service.spec), &spec)?;
            let taken = if there.is_some() { desire::update(tx, spec) } else { desire::create(tx, spec) };
            written(tx, taken)
        })
        .await
}

/// Changes what a merge patch names. With `?force` all instances are replaced, whether that changes anything or not.
pub(crate) async fn patch(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    query: Query,
    write: Write,
) -> Result<Response, Refusal> {
    let force = query.asks("force");
    let change = write.json()?;
    if !change.is_object() {
        let problem = Problem::new("body", &change, "is no object: write it like {\"replicas\": 2}");
        return Err(Refusal::of_problems(&[problem]));
    }
    let known: Name = name.parse().map_err(|_| Refusal::unknown_service(&name))?;
    write
        .carry_out(&state.store, |tx| {
            let service = records::service(tx, &known).ok_or_else(|| Refusal::unknown_service(&name))?;
            let current = draft::write(&Draft::of(&service.spec));
            let (wanted, problems) = patch::change(&current, &change);
            if !problems.is_empty() {
                return Err(Refusal::of_problems(&problems));
            }
            let spec = read(&name, &wanted)?;
            offer::check(&state, Some(&service.spec), &spec)?;
            let mut taken = desire::update(tx, spec);
            let replaces = |taken: &desire::Taken| taken.what == Novelty::NewVersion;
            if force && taken.as_ref().is_ok_and(|taken| !replaces(taken)) {
                taken = desire::restart(tx, &known, "asked for by hand");
            }
            written(tx, taken)
        })
        .await
}

/// Wants the service gone.
pub(crate) async fn delete(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    write: Write,
) -> Result<Response, Refusal> {
    let known: Name = name.parse().map_err(|_| Refusal::unknown_service(&name))?;
    write
        .carry_out(&state.store, |tx| {
            let taken = desire::remove(tx, &known)?;
            Ok(Answer::new(StatusCode::ACCEPTED, &Written::of(taken, tx.revision())))
        })
        .await
}

/// Makes a spec of JSON, or says all that is wrong with it.
fn read(name: &str, value: &Value) -> Result<Spec, Refusal> {
    let (draft, mut problems) = draft::read(name, value);
    let of_form: Vec<String> = problems.iter().map(|problem| problem.field.clone()).collect();
    match spec(name, &draft) {
        Ok(spec) if problems.is_empty() => Ok(spec),
        Ok(_) => Err(Refusal::of_problems(&problems)),
        Err(found) => {
            // A field that could not be read is not missing on top of it.
            problems.extend(found.into_iter().filter(|problem| !of_form.contains(&problem.field)));
            Err(Refusal::of_problems(&problems))
        }
    }
}

fn written(
    tx: &mut Transaction<'_>,
    taken: Result<desire::Taken, desire::Refusal>,
) -> Result<Answer, Refusal> {
    let taken = taken?;
    let status = if taken.what == Novelty::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Answer::new(status, &Written::of(taken, tx.revision())))
}

fn condition(headers: &HeaderMap) -> Result<Condition, Refusal> {
    match (any(headers, IF_NONE_MATCH)?, any(headers, IF_MATCH)?) {
        (false, false) => Ok(Condition::None),
        (true, false) => Ok(Condition::Absent),
        (false, true) => Ok(Condition::Present),
        (true, true) => {
            Err(Refusal::bad("If-Match and If-None-Match contradict each other: send at most one"))
        }
    }
}

/// Services have no entity tags: the only value is `*`.
fn any(headers: &HeaderMap, name: HeaderName) -> Result<bool, Refusal> {
    let Some(value) = headers.get(&name) else { return Ok(false) };
    if value == "*" {
        return Ok(true);
    }
    Err(Refusal::bad(format!("{name} '{}' is not taken: give *", value.as_bytes().escape_ascii())))
}

fn check_condition(condition: Condition, name: &str, there: bool) -> Result<(), Refusal> {
    let text = match (condition, there) {
        (Condition::Absent, true) => {
            format!("service '{name}' exists already: leave If-None-Match out to change it")
        }
        (Condition::Present, false) => {
            format!("there is no service '{name}': leave If-Match out to create it")
        }
        (Condition::None | Condition::Absent | Condition::Present, _) => return Ok(()),
    };
    Err(Refusal::new(StatusCode::PRECONDITION_FAILED, text))
}
