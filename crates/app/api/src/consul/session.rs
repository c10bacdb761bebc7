//! `/v1/session`: who holds locks on keys. `core/session` has the rules; what ends sessions by itself is a controller.

mod create;

use std::borrow::Cow;

use adsum_keyspace::{Database, Keys as Tree, Transaction};
use adsum_session::session::{self, Listed};
use adsum_session::{SESSION, end};
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use serde::Serialize;

use super::answer::{Refusal, at, json};
use super::question::{Question, check_datacenter};
use crate::ApiState;
use crate::changes::Keys;
use crate::closing::Closing;
use crate::query::Query;

pub(crate) use create::create;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shape {
    #[serde(rename = "ID")]
    id: String,
    name: String,
    node: String,
    /// Nanoseconds.
    lock_delay: u64,
    behavior: &'static str,
    #[serde(rename = "TTL")]
    ttl: String,
    node_checks: Vec<String>,
    service_checks: Option<Vec<ServiceCheck>>,
    create_index: u64,
    modify_index: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ServiceCheck {
    #[serde(rename = "ID")]
    id: String,
    namespace: String,
}

pub(crate) async fn no_session() -> Refusal {
    Refusal::bad("Missing session")
}

pub(crate) async fn no_node() -> Refusal {
    Refusal::bad("Missing node name")
}

/// True, whether there was such a session or not.
pub(crate) async fn destroy(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    check_datacenter(&query, &state.about.datacenter)?;
    expect_id(&id)?;
    state.store.try_commit(|tx| end::end(tx, &id)).await?;
    Ok(json(query.asks("pretty"), &true))
}

pub(crate) async fn renew(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    check_datacenter(&query, &state.about.datacenter)?;
    expect_id(&id)?;
    let Some(listed) = state.store.try_commit(|tx| session::renew(tx, &id)).await? else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, format!("Session id '{id}' not found")));
    };
    Ok(json(query.asks("pretty"), &[Shape::of(listed)]))
}

/// A list of one, or of none.
pub(crate) async fn info(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    question: Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    expect_id(&id)?;
    let keys = Keys::One(Database::System, [SESSION, id.as_bytes()].concat());
    let read = |tx: &mut Transaction<'_>| session::valid(tx, &id);
    let (found, index) = keys.read(&state.store, &question.blocking, &mut closing, read).await?;
    let shapes: Vec<Shape> = found.into_iter().map(Shape::of).collect();
    Ok(at(index, None, json(question.pretty, &shapes)))
}

pub(crate) async fn list(
    State(state): State<ApiState>,
    question: Question,
    closing: Closing,
) -> Result<Response, Refusal> {
    listed(&state, &question, closing, |_| true).await
}

pub(crate) async fn of_node(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    question: Question,
    closing: Closing,
) -> Result<Response, Refusal> {
    listed(&state, &question, closing, |listed| listed.session.node == name).await
}

async fn listed(
    state: &ApiState,
    question: &Question,
    mut closing: Closing,
    wanted: impl Fn(&Listed) -> bool,
) -> Result<Response, Refusal> {
    let keys = Keys::Under(Database::System, SESSION.to_vec());
    let read = |tx: &mut Transaction<'_>| tx.keys(Database::System).clone();
    let (system, index): (Tree, _) = keys.read(&state.store, &question.blocking, &mut closing, read).await?;
    let those = session::all(&system).filter(|(_, over)| !over).map(|(listed, _)| listed);
    let shapes: Vec<Shape> = those.filter(wanted).map(Shape::of).collect();
    Ok(at(index, None, json(question.pretty, &shapes)))
}

/// In the words of Consul, which has its ids of a library.
fn expect_id(id: &str) -> Result<(), Refusal> {
    let wrong: Cow<'_, str> = match id.len() {
        session::ID_LENGTH => return Ok(()),
        _ => "failed session lookup: index error: UUID must be 36 characters".into(),
    };
    Err(Refusal::failed(wrong))
}

impl Shape {
    fn of(Listed { session, created, modified }: Listed) -> Shape {
        let checks = session.service_checks.into_iter();
        let checks: Vec<ServiceCheck> =
            checks.map(|check| ServiceCheck { id: check.id, namespace: check.namespace }).collect();
        Shape {
            id: session.id,
            name: session.name,
            node: session.node,
            lock_delay: u64::try_from(session.lock_delay.as_nanos()).unwrap_or(u64::MAX),
            behavior: session.behavior.as_str(),
            ttl: session.ttl,
            node_checks: session.node_checks,
            service_checks: (!checks.is_empty()).then_some(checks),
            create_index: created.0,
            modify_index: modified.0,
        }
    }
}
