//! `GET /v1/kv/KEY`: an entry (`?raw` its bytes alone), all under a prefix (`?recurse`), or their keys (`?keys`, and
//! with `?separator=/` one level of them). Blocks by these keys alone: other writes wake nobody.

use adsum_keyspace::json::base64;
use adsum_keyspace::{Entry, Keys as Tree, Value};
use adsum_model::Revision;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use hyper::{StatusCode, Uri};
use serde::Serialize;

use super::{DATABASE, key_of};
use crate::ApiState;
use crate::changes::Keys;
use crate::closing::Closing;
use crate::consul::answer::{Refusal, at, json};
use crate::consul::question::Question;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shape {
    lock_index: u64,
    key: String,
    flags: u64,
    /// Base64; none when empty.
    value: Option<String>,
    create_index: u64,
    modify_index: u64,
}

pub(crate) async fn get(
    State(state): State<ApiState>,
    uri: Uri,
    question: Question,
    closing: Closing,
) -> Result<Response, Refusal> {
    let key = key_of(&uri)?;
    let query = &question.query;
    if query.has("keys") || query.has("recurse") {
        return under(&state, key, &question, closing).await;
    }
    if key.is_empty() {
        return Err(Refusal::bad("Missing key name"));
    }
    one(&state, key, &question, closing).await
}

/// As of a revision.
struct Read<T> {
    found: T,
    revision: Revision,
}

async fn one(
    state: &ApiState,
    key: Vec<u8>,
    question: &Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let mut read = read_one(state, &key).await?;
    let mut index = read.revision;
    if let Some(asked) = question.blocking.index
        && modified(&read.found).is_none_or(|modified| modified <= asked)
    {
        let asked = asked.min(read.revision);
        let keys = Keys::One(DATABASE, key.clone());
        let changed = keys.changed(&state.store, asked, &question.blocking, &mut closing).await?;
        read = read_one(state, &key).await?;
        index = if changed { read.revision } else { asked };
    }
    let index = modified(&read.found).unwrap_or(index);
    let Some(entry) = read.found else { return Ok(missing(index)) };
    let Value::String(value) = &entry.value else {
        let text = format!(
            "key '{}' holds a {}, not a string: read it with a Redis client",
            key.escape_ascii(),
            entry.value.kind().as_str()
        );
        return Err(Refusal::bad(text));
    };
    let response = if question.query.has("raw") {
        raw(value)
    } else {
        json(question.pretty, &[Shape::of(&key, value, &entry)])
    };
    Ok(at(index, None, response))
}

async fn read_one(state: &ApiState, key: &[u8]) -> Result<Read<Option<Entry>>, Refusal> {
    let read = |tx: &mut adsum_keyspace::Transaction<'_>| Read {
        found: tx.get(DATABASE, key).cloned(),
        revision: tx.read_revision(),
    };
    Ok(state.store.try_commit(read).await?)
}

fn modified(entry: &Option<Entry>) -> Option<Revision> {
    entry.as_ref().map(|entry| entry.modified)
}

async fn under(
    state: &ApiState,
    prefix: Vec<u8>,
    question: &Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let mut read = read_all(state).await?;
    let mut index = read.revision;
    if let Some(asked) = question.blocking.index
        && strings(&read.found, &prefix).all(|(_, _, entry)| entry.modified <= asked)
    {
        let asked = asked.min(read.revision);
        // A tree that is held while others write costs them copies.
        drop(read);
        let keys = Keys::Under(DATABASE, prefix.clone());
        let changed = keys.changed(&state.store, asked, &question.blocking, &mut closing).await?;
        read = read_all(state).await?;
        index = if changed { read.revision } else { asked };
    }
    let response = if question.query.has("keys") {
        keys_json(&read.found, &prefix, question)
    } else {
        entries_json(&read.found, &prefix, question)
    };
    Ok(response.map_or_else(|| missing(index), |response| at(index, None, response)))
}

/// The whole database as of now, which costs nothing, to be looked through outside of the transaction.
async fn read_all(state: &ApiState) -> Result<Read<Tree>, Refusal> {
    let read = |tx: &mut adsum_keyspace::Transaction<'_>| Read {
        found: tx.keys(DATABASE).clone(),
        revision: tx.read_revision(),
    };
    Ok(state.store.try_commit(read).await?)
}

fn strings<'a>(tree: &'a Tree, prefix: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a [u8], &'a Entry)> {
    let entries = tree.iter_from(prefix).take_while(move |(key, _)| key.starts_with(prefix));
    entries.filter_map(|(key, entry)| match &entry.value {
        Value::String(value) => Some((key.as_slice(), value.as_slice(), &**entry)),
        Value::List(_) | Value::Hash(_) | Value::Set(_) | Value::SortedSet(_) | Value::Stream(_) => None,
    })
}

fn entries_json(tree: &Tree, prefix: &[u8], question: &Question) -> Option<Response> {
    let shapes: Vec<Shape> =
        strings(tree, prefix).map(|(key, value, entry)| Shape::of(key, value, entry)).collect();
    (!shapes.is_empty()).then(|| json(question.pretty, &shapes))
}

fn keys_json(tree: &Tree, prefix: &[u8], question: &Question) -> Option<Response> {
    let separator = question.query.bytes("separator").or_else(|| question.query.bytes("seperator"));
    let separator = separator.filter(|separator| !separator.is_empty());
    let mut keys: Vec<String> = strings(tree, prefix)
        .map(|(key, _, _)| String::from_utf8_lossy(level(key, prefix.len(), separator)).into_owned())
        .collect();
    keys.dedup();
    (!keys.is_empty() || prefix.is_empty()).then(|| json(question.pretty, &keys))
}

/// The key up to and with the first separator behind the prefix.
fn level<'a>(key: &'a [u8], prefix: usize, separator: Option<&[u8]>) -> &'a [u8] {
    let Some(separator) = separator else { return key };
    let rest = &key[prefix..];
    let found = rest.windows(separator.len()).position(|window| window == separator);
    found.map_or(key, |at| &key[..prefix + at + separator.len()])
}

fn missing(index: Revision) -> Response {
    at(index, None, StatusCode::NOT_FOUND.into_response())
}

/// As text that nobody runs: a value may be anything.
fn raw(value: &[u8]) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/plain")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox")),
    ];
    (headers, value.to_vec()).into_response()
}

impl Shape {
    fn of(key: &[u8], value: &[u8], entry: &Entry) -> Shape {
        Shape {
            lock_index: 0,
            key: String::from_utf8_lossy(key).into_owned(),
            flags: 0,
            value: (!value.is_empty()).then(|| base64(value)),
            create_index: entry.created.0,
            modify_index: entry.modified.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_ends_with_its_separator() {
        assert_eq!(level(b"a/c/d", 2, Some(b"/")), b"a/c/");
        assert_eq!(level(b"a/b", 2, Some(b"/")), b"a/b");
        assert_eq!(level(b"a/c/d", 0, Some(b"/")), b"a/");
        assert_eq!(level(b"a/c/d", 0, None), b"a/c/d");
    }
}
