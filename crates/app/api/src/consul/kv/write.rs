//! `PUT` and `DELETE /v1/kv/KEY`, each with `?cas=`.

use adsum_keyspace::{Blob, Notice, Transaction, Value};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::{Request, StatusCode};

use super::{DATABASE, key_of};
use crate::body::{self, BodyError};
use crate::consul::answer::{Refusal, json};
use crate::consul::question::check_datacenter;
use crate::query::Query;
use crate::{ApiState, limits};

/// Puts the body; true unless `?cas=` does not fit. 0 is for a key that is not there.
pub(crate) async fn put(
    State(state): State<ApiState>,
    query: Query,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let key = one_key(&state, &query, &request)?;
    refuse_unkept(&query)?;
    let cas = number(&query, "cas")?;
    let value = body::read(request.into_body(), limits::KV_VALUE).await.map_err(refuse_body)?;
    if let Some(reason) = state.store.refuses_growth() {
        return Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, &*reason));
    }
    let done = state
        .store
        .try_commit(|tx| {
            let fits = cas.is_none_or(|cas| modified(tx, &key).unwrap_or(0) == cas);
            if fits {
                tx.put(DATABASE, key.as_slice(), Value::String(Blob::from(&value[..])), None, &[Notice::Set]);
            }
            fits
        })
        .await?;
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
    if recurse && query.has("cas") {
        return Err(Refusal::bad("Conflicting flags: recurse and cas"));
    }
    let key = if recurse { key_of(request.uri())? } else { one_key(&state, &query, &request)? };
    check_datacenter(&query, &state.about.datacenter)?;
    let done = state
        .store
        .try_commit(|tx| if recurse { delete_under(tx, &key) } else { delete_one(tx, &key, cas) })
        .await?;
    Ok(json(query.asks("pretty"), &done))
}

fn one_key(state: &ApiState, query: &Query, request: &Request<Body>) -> Result<Vec<u8>, Refusal> {
    check_datacenter(query, &state.about.datacenter)?;
    let key = key_of(request.uri())?;
    if key.is_empty() { Err(Refusal::bad("Missing key name")) } else { Ok(key) }
}

/// What cannot be kept must not be taken.
fn refuse_unkept(query: &Query) -> Result<(), Refusal> {
    let given = |name: &str| query.text(name).map(|value| format!("{name}={value}"));
    let conflicting: Vec<String> = ["cas", "acquire", "release"].into_iter().filter_map(given).collect();
    if conflicting.len() > 1 {
        return Err(Refusal::bad(format!("Conflicting flags: {}", conflicting.join("&"))));
    }
    if query.has("acquire") || query.has("release") {
        let text =
            "acquire and release need a session, which there are none of: lock with SET NX PX of Redis";
        return Err(Refusal::bad(text));
    }
    match number(query, "flags")? {
        None | Some(0) => Ok(()),
        Some(flags) => {
            let text =
                format!("flags {flags} cannot be kept, the entry has no place for them: leave them out");
            Err(Refusal::bad(text))
        }
    }
}

/// In the words of Consul, which are those of Go.
fn number(query: &Query, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(text) = query.text(name) else { return Ok(None) };
    let wrong = |_| Refusal::failed(format!("strconv.ParseUint: parsing \"{text}\": invalid syntax"));
    text.parse().map(Some).map_err(wrong)
}

fn refuse_body(error: BodyError) -> Refusal {
    match error {
        BodyError::TooLarge(length) => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("Request body({length} bytes) too large, max size: {} bytes.", limits::KV_VALUE),
        ),
        BodyError::TooSlow => Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        BodyError::Broken => Refusal::bad("the body broke off: send it whole"),
    }
}

fn modified(tx: &mut Transaction<'_>, key: &[u8]) -> Option<u64> {
    tx.get(DATABASE, key).map(|entry| entry.modified.0)
}

fn delete_one(tx: &mut Transaction<'_>, key: &[u8], cas: Option<u64>) -> bool {
    let modified = modified(tx, key);
    if let (Some(modified), Some(cas)) = (modified, cas)
        && modified != cas
    {
        return false;
    }
    tx.delete(DATABASE, key, Notice::Del);
    true
}

/// Only what a listing shows.
fn delete_under(tx: &mut Transaction<'_>, prefix: &[u8]) -> bool {
    let keys = tx.keys(DATABASE).clone();
    for (key, entry) in keys.iter_from(prefix).take_while(|(key, _)| key.starts_with(prefix)) {
        if matches!(entry.value, Value::String(_)) {
            tx.delete(DATABASE, key, Notice::Del);
        }
    }
    true
}
