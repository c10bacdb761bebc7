//! What a key held, and what happened to it, as far as the history reaches.

use adsum_keyspace::json::put_bytes;
use adsum_keyspace::{Entry, Now, Place, Value, limits as keyspace};
use adsum_model::Revision;
use adsum_store::{HistoryOf, PastEvent, Unreadable};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value as Json, json as object};

use super::Refusal;
use super::answer::json;
use super::change::{self, Object};
use super::event::Id;
use super::events::limit;
use super::watch::database;
use crate::ApiState;
use crate::query::Query;

/// `GET /api/kv/history?key=&db=0&limit=100`: the newest changes of a key, in order.
pub(crate) async fn history(State(state): State<ApiState>, query: Query) -> Result<Response, Refusal> {
    let (place, limit) = (place(&query)?, limit(&query)?);
    let history = state.store.history_of(&place, limit).await?;
    Ok(json(StatusCode::OK, &told(&place, &history)))
}

/// `GET /api/kv/value?key=&rev=&db=0`: what a key held at a revision, as JSON, or with `?raw` the bytes of a string.
pub(crate) async fn value(State(state): State<ApiState>, query: Query) -> Result<Response, Refusal> {
    let place = place(&query)?;
    let revision = match revision(&query)? {
        Some(revision) => revision,
        None => state.store.transact(|tx| tx.read_revision()).0,
    };
    let now = state.store.now();
    let Some(entry) = state.store.entry_at(&place, revision).await? else {
        let text = format!("there was no key '{}' at revision {revision}", place.1.escape_ascii());
        return Err(Refusal::new(StatusCode::NOT_FOUND, text));
    };
    if query.asks("raw") {
        return raw(&place, &entry);
    }
    Ok(json(StatusCode::OK, &held(&place, &entry, revision, now)))
}

fn place(query: &Query) -> Result<Place, Refusal> {
    let key = query.bytes("key").filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| Refusal::bad("no key is named: ask with ?key="))?;
    if key.len() > keyspace::KEY {
        return Err(Refusal::bad(format!(
            "the key has {} bytes: no key has more than {}",
            key.len(),
            keyspace::KEY
        )));
    }
    Ok((database(query)?, key.into()))
}

fn revision(query: &Query) -> Result<Option<Revision>, Refusal> {
    let Some(text) = query.text("rev") else { return Ok(None) };
    let wrong = |_| Refusal::bad(format!("rev '{text}' is no revision: give a number"));
    text.parse().map(Revision).map(Some).map_err(wrong)
}

fn told(place: &Place, history: &HistoryOf) -> Object {
    let mut data = Object::new();
    put_bytes(&mut data, "key", &place.1);
    data.insert("events".to_string(), history.events.iter().map(event).collect());
    data.insert("oldest".to_string(), history.oldest.0.into());
    data.insert("revision".to_string(), history.upto.0.into());
    data.insert("more".to_string(), history.more.into());
    data
}

fn event(event: &PastEvent) -> Json {
    let id = Id { revision: event.commit.revision.0, number: event.number() };
    let mut data = change::shape(id, event.change(), event.commit.now);
    data.remove("key");
    data.insert("id".to_string(), id.to_string().into());
    data.insert("time".to_string(), event.commit.now.wall.into());
    data.into()
}

/// When it ends is told as far as it can be told now.
fn held(place: &Place, entry: &Entry, revision: Revision, now: Now) -> Object {
    let mut data = Object::new();
    put_bytes(&mut data, "key", &place.1);
    data.insert("type".to_string(), entry.value.kind().as_str().into());
    change::put_value(&mut data, &entry.value);
    data.insert("created".to_string(), entry.created.0.into());
    data.insert("modified".to_string(), entry.modified.0.into());
    if let Some(deadline) = entry.deadline {
        data.insert("expires".to_string(), object!(deadline.unix(now)));
    }
    data.insert("revision".to_string(), revision.0.into());
    data
}

fn raw(place: &Place, entry: &Entry) -> Result<Response, Refusal> {
    let Value::String(bytes) = &entry.value else {
        let (key, kind) = (place.1.escape_ascii(), entry.value.kind().as_str());
        return Err(Refusal::bad(format!("key '{key}' held a {kind}, not a string: ask without ?raw")));
    };
    let kind = HeaderValue::from_static("application/octet-stream");
    Ok(([(CONTENT_TYPE, kind)], bytes.to_vec()).into_response())
}

impl From<Unreadable> for Refusal {
    fn from(unreadable: Unreadable) -> Refusal {
        let status = match unreadable {
            Unreadable::Compacted { .. } => StatusCode::GONE,
            Unreadable::Future { .. } => StatusCode::BAD_REQUEST,
            Unreadable::Failed(failed) => return failed.into(),
        };
        Refusal::new(status, unreadable.to_string())
    }
}
