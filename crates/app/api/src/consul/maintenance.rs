//! `PUT /v1/agent/maintenance` and `/v1/agent/service/maintenance/ID`: out of what passes by a person, and back.
//!
//! Of an instance that Adsum runs it is the same as `adsum maint`.

use adsum_catalog::register::{self, Told};
use adsum_keyspace::Transaction;
use adsum_model::InstanceId;
use adsum_model::registered::{Check, Definition, Kind, Status};
use adsum_rollout::desire;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;

use super::answer::Refusal;
use super::commit::commit;
use super::entry::NO_REASON;
use super::service::unknown;
use crate::query::Query;
use crate::{ApiState, limits};

/// What is asked for.
enum Wish {
    In(String),
    Out,
}

/// All that is on this node.
pub(crate) async fn node(State(state): State<ApiState>, query: Query) -> Result<Response, Refusal> {
    let wish = Wish::of(&query)?;
    let check = check(&state, "_node_maintenance", "Node Maintenance Mode", "", NO_REASON[1]);
    commit(&state, |tx| wish.carry_out(tx, check)).await??;
    Ok(StatusCode::OK.into_response())
}

pub(crate) async fn service(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    let wish = Wish::of(&query)?;
    let view = state.store.catalog().await?;
    if let Some(instance) = id.parse().ok().filter(|id: &InstanceId| view.instance(id).is_some()) {
        let done = commit(&state, |tx| desire::maintain_instance(tx, &instance, wish.reason())).await?;
        done.map_err(|refusal| Refusal::failed(refusal.to_string()))?;
        return Ok(StatusCode::OK.into_response());
    }
    let check_id = format!("_service_maintenance:{id}");
    let check = check(&state, &check_id, "Service Maintenance Mode", &id, NO_REASON[0]);
    let done = commit(&state, |tx| {
        let is_there = register::service(tx, &check.node, &id).is_some();
        is_there.then(|| wish.carry_out(tx, check))
    });
    done.await?.ok_or_else(|| unknown(&id))??;
    Ok(StatusCode::OK.into_response())
}

impl Wish {
    fn of(query: &Query) -> Result<Wish, Refusal> {
        let enable = query.text("enable").ok_or_else(|| Refusal::bad("Missing value for enable"))?;
        let mut reason = query.text("reason").unwrap_or_default();
        reason.truncate(reason.floor_char_boundary(limits::REASON));
        match enable.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Wish::In(reason)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Wish::Out),
            other => Err(Refusal::bad(format!("Invalid value for enable: \"{other}\""))),
        }
    }

    fn reason(self) -> Option<String> {
        match self {
            Wish::In(reason) => Some(reason),
            Wish::Out => None,
        }
    }

    fn carry_out(self, tx: &mut Transaction<'_>, mut check: Check) -> Result<(), register::Refusal> {
        match self {
            Wish::In(reason) => {
                if !reason.is_empty() {
                    check.notes = reason;
                }
                register::tell(tx, Told { checks: vec![check], ..Told::default() })
            }
            Wish::Out => {
                register::deregister_check(tx, &check.node, &check.id);
                Ok(())
            }
        }
    }
}

fn check(state: &ApiState, id: &str, name: &str, service: &str, notes: &str) -> Check {
    Check {
        node: state.about.node.to_string(),
        id: id.to_string(),
        name: name.to_string(),
        notes: notes.to_string(),
        service: service.to_string(),
        status: Status::Critical,
        definition: Definition { kind: Kind::Maintenance, ..Definition::default() },
        ..Check::default()
    }
}
