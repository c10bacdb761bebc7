//! `PUT` and `DELETE /v1/kv/KEY`: plain, with `?cas=`, and for a session with `?acquire=` and `?release=`.

use adsum_keyspace::{Deadline, Transaction};
use adsum_model::parse_duration;
use adsum_session::kv::{self, Locked, NoSession, Put};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::{Request, StatusCode};

use super::key_of;
use crate::consul::answer::{Refusal, json};
use crate::consul::given;
use crate::consul::question::check_datacenter;
use crate::query::Query;
use crate::{ApiState, limits};

/// On what condition a value is put.
enum Condition {
    None,
    Index(u64),
    /// That the session gets the key, or has it.
    Acquire(String),
    /// That the session has the key, which it lets go.
    Release(String),
}

/// Puts the body; true unless the condition does not hold. `?cas=0` is for a key that is not there.
pub(crate) async fn put(
    State(state): State<ApiState>,
    query: Query,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let key = one_key(&state, &query, &request)?;
    let condition = Condition::of(&query)?;
    let flags = number(&query, "flags")?.unwrap_or(0);
    let ttl = query.text("ttl").map(|text| parse_duration(&text)).transpose();
    let ttl = ttl.map_err(|error| Refusal::bad(format!("ttl {error}")))?;
    let value = given::bytes(request.into_body(), limits::KV_VALUE).await?;
    if let Some(reason) = state.store.refuses_growth() {
        return Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, &*reason));
    }
    let done = state
        .store
        .try_commit(|tx| {
            let deadline = ttl.map(|ttl| Deadline::after(ttl.as_millis() as u64, tx.now()));
            condition.put(tx, &Put { key: &key, value: &value, flags, deadline })
        })
        .await?;
    let done = done.map_err(|error| Refusal::failed(format!("raft apply failed: {error}")))?;
    Ok(json(query.asks("pretty"), &done))
}

/// Deletes a key, or with `?recurse` all under it; true unless `?cas=` does not fit. That a key is not there fits any.
pub(crate) async fn delete(
    State(state): State<ApiState>,
    query: Query,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let recurse = query.has("recurse");
    let cas = number(&query, "cas")?;
    refuse_conflict(&query, &["cas", "recurse"])?;
    let key = if recurse { key_of(request.uri())? } else { one_key(&state, &query, &request)? };
    check_datacenter(&query, &state.about.datacenter)?;
    let done = state.store.try_commit(|tx| match cas {
        Some(cas) => kv::delete_cas(tx, &key, cas),
        None if recurse => {
            kv::delete_tree(tx, &key);
            true
        }
        None => {
            kv::delete(tx, &key);
            true
        }
    });
    Ok(json(query.asks("pretty"), &done.await?))
}

impl Condition {
    fn of(query: &Query) -> Result<Condition, Refusal> {
        refuse_conflict(query, &["acquire", "cas", "release"])?;
        let session = |name| query.has(name).then(|| query.text(name).unwrap_or_default());
        let cas = number(query, "cas")?.map(Condition::Index);
        let acquire = || session("acquire").map(Condition::Acquire);
        let release = || session("release").map(Condition::Release);
        Ok(cas.or_else(acquire).or_else(release).unwrap_or(Condition::None))
    }

    /// Whether it held.
    fn put(&self, tx: &mut Transaction<'_>, put: &Put<'_>) -> Result<bool, NoSession> {
        match self {
            Condition::None => {
                kv::set(tx, put);
                Ok(true)
            }
            Condition::Index(index) => Ok(kv::cas(tx, put, *index)),
            Condition::Acquire(id) => Ok(kv::lock(tx, put, id)? == Locked::Yes),
            Condition::Release(id) => kv::unlock(tx, put, id),
        }
    }
}

fn one_key(state: &ApiState, query: &Query, request: &Request<Body>) -> Result<Vec<u8>, Refusal> {
    check_datacenter(query, &state.about.datacenter)?;
    let key = key_of(request.uri())?;
    if key.is_empty() { Err(Refusal::bad("Missing key name")) } else { Ok(key) }
}

/// One of these at most.
fn refuse_conflict(query: &Query, names: &[&str]) -> Result<(), Refusal> {
    let given =
        |name: &&str| query.has(name).then(|| format!("{name}={}", query.text(name).unwrap_or_default()));
    let given: Vec<String> = names.iter().filter_map(given).collect();
    match given.len() {
        0 | 1 => Ok(()),
        _ => Err(Refusal::bad(format!("Conflicting flags: {}", given.join("&")))),
    }
}

/// None when the name is not there; without a value it is no number. In the words of Consul, which are those of Go.
fn number(query: &Query, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(text) = query.bytes(name).map(String::from_utf8_lossy) else { return Ok(None) };
    let wrong = |why: &str| Refusal::failed(format!("strconv.ParseUint: parsing \"{text}\": {why}"));
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("invalid syntax"));
    }
    // Of digits alone too many are all that can be wrong.
    text.parse().map(Some).map_err(|_| wrong("value out of range"))
}
