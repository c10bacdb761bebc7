//! `/v1/query`: prepared queries. `core/query` has the rules; DNS asks them too, as `NAME.query.consul`.

mod execute;
mod given;
mod shape;

use adsum_catalog::records;
use adsum_keyspace::{Database, Entry, Keys as Tree, Transaction};
use adsum_model::PreparedQuery;
use adsum_query::QUERIES;
use adsum_session::session;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::{Request, StatusCode};

use self::shape::Shape;
use super::answer::{Created, Refusal, at, json};
use super::question::{Question, check_datacenter};
use crate::ApiState;
use crate::changes::Keys;
use crate::closing::Closing;
use crate::query::Query;

pub(crate) use execute::{execute, explain};

const PREFIX: &[u8] = b"query/";

pub(crate) async fn create(
    State(state): State<ApiState>,
    query: Query,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    check_datacenter(&query, &state.about.datacenter)?;
    let prepared = given::read(request.into_body(), super::given::id()?).await?;
    let id = prepared.id.clone();
    put(&state, prepared, Expect::New).await?;
    Ok(json(query.asks("pretty"), &Created { id }))
}

pub(crate) async fn update(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    query: Query,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    check_datacenter(&query, &state.about.datacenter)?;
    let prepared = given::read(request.into_body(), id).await?;
    put(&state, prepared, Expect::Old).await?;
    Ok(Response::default())
}

/// That there is no such query is fine.
pub(crate) async fn delete(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    check_datacenter(&query, &state.about.datacenter)?;
    state.store.try_commit(|tx| records::delete_query(tx, &id)).await?;
    Ok(Response::default())
}

pub(crate) async fn list(
    State(state): State<ApiState>,
    question: Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let keys = Keys::Under(Database::System, PREFIX.to_vec());
    let read = |tx: &mut Transaction<'_>| tx.keys(Database::System).clone();
    let (system, index) = keys.read(&state.store, &question.blocking, &mut closing, read).await?;
    let shapes: Vec<Shape> = all(&system).map(|(query, entry)| Shape::of(query, entry)).collect();
    Ok(at(index, Some(question.consistency()), json(question.pretty, &shapes)))
}

/// A list of one.
pub(crate) async fn get(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    question: Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let key = [PREFIX, id.as_bytes()].concat();
    let keys = Keys::One(Database::System, key.clone());
    let read = |tx: &mut Transaction<'_>| tx.get(Database::System, &key).cloned();
    let (entry, index) = keys.read(&state.store, &question.blocking, &mut closing, read).await?;
    let Some(entry) = entry else { return Err(not_found()) };
    let shape = Shape::of(records::decode(&entry), &entry);
    Ok(at(index, Some(question.consistency()), json(question.pretty, &[shape])))
}

fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "Query not found")
}

fn all(system: &Tree) -> impl Iterator<Item = (PreparedQuery, &Entry)> {
    let records = system.iter_from(PREFIX).take_while(|(key, _)| key.starts_with(PREFIX));
    records.map(|(_, entry)| (records::decode(entry), &**entry))
}

/// Whether the query has to be there.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    New,
    Old,
}

async fn put(state: &ApiState, prepared: PreparedQuery, expect: Expect) -> Result<(), Refusal> {
    if let Some(reason) = state.store.refuses_growth() {
        return Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, &*reason));
    }
    state.store.try_commit(|tx| put_in(tx, &prepared, expect)).await?
}

fn put_in(tx: &mut Transaction<'_>, prepared: &PreparedQuery, expect: Expect) -> Result<(), Refusal> {
    let invalid = |error: &dyn std::fmt::Display| Refusal::failed(format!("Invalid prepared query: {error}"));
    let others: Vec<_> =
        all(tx.keys_under(Database::System, PREFIX)).map(|(query, _)| std::sync::Arc::new(query)).collect();
    adsum_query::check(prepared, others.iter()).map_err(|error| invalid(&error))?;
    if expect == Expect::Old && !others.iter().any(|other| other.id == prepared.id) {
        let text = format!("Cannot modify non-existent prepared query: '{}'", prepared.id);
        return Err(Refusal::failed(text));
    }
    if expect == Expect::New && others.len() >= QUERIES {
        return Err(invalid(&format!("there are {QUERIES}, which is the limit: delete some")));
    }
    if !prepared.session.is_empty() && session::valid(tx, &prepared.session).is_none() {
        return Err(Refusal::failed(format!("invalid session {:?}", prepared.session)));
    }
    records::put_query(tx, prepared);
    Ok(())
}
