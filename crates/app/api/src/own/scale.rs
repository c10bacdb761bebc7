//! `POST /api/services/NAME/scale` and `POST /api/scale`: how many instances are wanted, of one service or of several
//! at once.

use std::collections::BTreeMap;

use adsum_catalog::records;
use adsum_keyspace::Transaction;
use adsum_model::Name;
use adsum_rollout::desire;
use adsum_stack::{Problem, REPLICAS};
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::Refusal;
use super::service::Written;
use super::write::{Answer, Write};
use crate::ApiState;

/// `{"replicas": 3}`
pub(crate) async fn one(
    State(state): State<ApiState>,
    Path(text): Path<String>,
    write: Write,
) -> Result<Response, Refusal> {
    let name: Name = text.parse().map_err(|_| Refusal::unknown_service(&text))?;
    let body = write.json()?;
    let wanted = body.get("replicas").unwrap_or(&Value::Null);
    let replicas = replicas("replicas", wanted).map_err(|problem| Refusal::of_problems(&[problem]))?;
    write
        .carry_out(&state.store, |tx| {
            let taken = desire::scale(tx, &name, replicas)?;
            Ok(Answer::new(StatusCode::OK, &Written::of(taken, tx.revision())))
        })
        .await
}

/// `{"services": {"web": 3, "worker": 5}}`: all or none.
pub(crate) async fn several(State(state): State<ApiState>, write: Write) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct Scaled {
        services: BTreeMap<Name, Written>,
    }
    let wishes = wishes(&write.json()?)?;
    write
        .carry_out(&state.store, |tx| {
            check_all(tx, &wishes)?;
            let mut services = BTreeMap::new();
            for (name, replicas) in wishes {
                let taken = desire::scale(tx, &name, replicas)?;
                services.insert(name, Written::of(taken, tx.revision()));
            }
            Ok(Answer::new(StatusCode::OK, &Scaled { services }))
        })
        .await
}

fn wishes(body: &Value) -> Result<Vec<(Name, u32)>, Refusal> {
    let Some(services) = body.get("services").and_then(Value::as_object) else {
        let problem =
            Problem::new("body", body, "names no services: write it like {\"services\": {\"web\": 3}}");
        return Err(Refusal::of_problems(&[problem]));
    };
    let mut problems = Vec::new();
    let mut wishes = Vec::new();
    for (text, value) in services {
        match (text.parse::<Name>(), replicas(&format!("services.{text}"), value)) {
            (Ok(name), Ok(replicas)) => wishes.push((name, replicas)),
            (Ok(_), Err(problem)) => problems.push(problem),
            (Err(error), _) => problems.push(Problem::new("services", text, format!("is no name: {error}"))),
        }
    }
    if problems.is_empty() { Ok(wishes) } else { Err(Refusal::of_problems(&problems)) }
}

fn replicas(field: &str, value: &Value) -> Result<u32, Problem> {
    let fitting = value.as_i64().filter(|number| REPLICAS.contains(number));
    let advice = format!("is no number of instances: give {} to {}", REPLICAS.start(), REPLICAS.end());
    fitting.and_then(|number| number.try_into().ok()).ok_or_else(|| Problem::new(field, value, advice))
}

/// Refuses before anything is changed, naming every service that does not take the wish.
fn check_all(tx: &mut Transaction<'_>, wishes: &[(Name, u32)]) -> Result<(), Refusal> {
    let mut refusals: Vec<Refusal> = Vec::new();
    for (name, _) in wishes {
        match records::service(tx, name) {
            None => refusals.push(desire::Refusal::Unknown(name.clone()).into()),
            Some(service) if service.removed => {
                refusals.push(desire::Refusal::BeingRemoved(name.clone()).into());
            }
            Some(_) => {}
        }
    }
    let Some(first) = refusals.first() else { return Ok(()) };
    let status = first.status;
    Err(Refusal { status, errors: refusals.into_iter().flat_map(|refusal| refusal.errors).collect() })
}
