//! `PUT` and `DELETE /api/services/NAME/maintenance` and `/api/instances/ID/maintenance`: out of routing by a person,
//! and back.

use adsum_catalog::records;
use adsum_model::{InstanceId, Name};
use adsum_rollout::desire;
use adsum_stack::Problem;
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::Refusal;
use super::instance::{Full, restart_in};
use super::service::Written;
use super::write::{Answer, Write};
use crate::{ApiState, limits};

#[derive(Serialize)]
struct Maintained<'a> {
    instance: Full<'a>,
    revision: u64,
}

pub(crate) async fn put_service(
    State(state): State<ApiState>,
    Path(text): Path<String>,
    write: Write,
) -> Result<Response, Refusal> {
    let reason = reason(&write.fields(&["reason"])?)?;
    service(&state, &text, write, Some(reason)).await
}

pub(crate) async fn delete_service(
    State(state): State<ApiState>,
    Path(text): Path<String>,
    write: Write,
) -> Result<Response, Refusal> {
    write.fields(&[])?;
    service(&state, &text, write, None).await
}

pub(crate) async fn put_instance(
    State(state): State<ApiState>,
    Path(text): Path<String>,
    write: Write,
) -> Result<Response, Refusal> {
    let reason = reason(&write.fields(&["reason"])?)?;
    instance(&state, &text, write, Some(reason)).await
}

pub(crate) async fn delete_instance(
    State(state): State<ApiState>,
    Path(text): Path<String>,
    write: Write,
) -> Result<Response, Refusal> {
    write.fields(&[])?;
    instance(&state, &text, write, None).await
}

async fn service(
    state: &ApiState,
    text: &str,
    write: Write,
    reason: Option<String>,
) -> Result<Response, Refusal> {
    let name: Name = text.parse().map_err(|_| Refusal::unknown_service(text))?;
    write
        .carry_out(&state.store, |tx| {
            let taken = desire::maintain_service(tx, &name, reason)?;
            Ok(Answer::new(StatusCode::OK, &Written::of(taken, tx.revision())))
        })
        .await
}

async fn instance(
    state: &ApiState,
    text: &str,
    write: Write,
    reason: Option<String>,
) -> Result<Response, Refusal> {
    let id: InstanceId =
        text.parse().map_err(|error| Refusal::new(StatusCode::NOT_FOUND, format!("{error}")))?;
    write
        .carry_out(&state.store, |tx| {
            let instance = desire::maintain_instance(tx, &id, reason)?;
            let service = records::service(tx, &instance.service);
            let restart_in = restart_in(&instance, service.as_ref(), tx.now().tick);
            let shape =
                Maintained { instance: Full::of(&instance, restart_in, None), revision: tx.revision().0 };
            Ok(Answer::new(StatusCode::OK, &shape))
        })
        .await
}

/// `{"reason": "..."}`, or without one.
fn reason(body: &Value) -> Result<String, Refusal> {
    let wrong = |message: &str| {
        let value = body.get("reason").unwrap_or(body);
        Err(Refusal::of_problems(&[Problem::new("reason", value, message)]))
    };
    match body.get("reason") {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(reason)) if reason.len() > limits::REASON => {
            wrong(&format!("is longer than {} bytes: shorten it", limits::REASON))
        }
        Some(Value::String(reason)) if reason.contains(char::is_control) => {
            wrong("has control characters: write it in one line")
        }
        Some(Value::String(reason)) => Ok(reason.clone()),
        _ => wrong("is no text: write it like {\"reason\": \"new disk\"}"),
    }
}
