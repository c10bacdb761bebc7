//! `GET /v1/kv/KEY`: an entry (`?raw` its bytes alone), all under a prefix (`?recurse`), or their keys (`?keys`, and
//! with `?separator=/` one level of them). Blocks by these keys alone: other writes wake nobody.

use adsum_keyspace::{Database, Entry, Keys as Tree, Value};
use adsum_model::Revision;
use adsum_session::{Beside, kv};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use hyper::{StatusCode, Uri};

use super::shape::Shape;
use super::{DATABASE, key_of};
use crate::ApiState;
use crate::changes::Keys;
use crate::closing::Closing;
use crate::consul::answer::{Refusal, at, json};
use crate::consul::question::Question;

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
    let Some((entry, beside)) = read.found else { return Ok(missing(index)) };
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
        json(question.pretty, &[Shape::of(&key, &entry, beside)])
    };
    Ok(at(index, None, response))
}

async fn read_one(state: &ApiState, key: &[u8]) -> Result<Read<Option<(Entry, Beside)>>, Refusal> {
    let read = |tx: &mut adsum_keyspace::Transaction<'_>| Read {
        found: kv::get(tx, key),
        revision: tx.read_revision(),
    };
    Ok(state.store.try_commit(read).await?)
}

fn modified(found: &Option<(Entry, Beside)>) -> Option<Revision> {
    found.as_ref().map(|(entry, _)| entry.modified)
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
        && strings(&read.found.keys, &prefix).all(|(_, entry)| entry.modified <= asked)
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
        keys_json(&read.found.keys, &prefix, question)
    } else {
        entries_json(&read.found, &prefix, question)
    };
    Ok(response.map_or_else(|| missing(index), |response| at(index, None, response)))
}

/// All keys with all that stands beside them.
struct All {
    keys: Tree,
    system: Tree,
}

/// The whole as of now, which costs nothing, to be looked through outside of the transaction.
async fn read_all(state: &ApiState) -> Result<Read<All>, Refusal> {
    let read = |tx: &mut adsum_keyspace::Transaction<'_>| Read {
        found: All { keys: tx.keys(DATABASE).clone(), system: tx.keys(Database::System).clone() },
        revision: tx.read_revision(),
    };
    Ok(state.store.try_commit(read).await?)
}

fn strings<'a>(tree: &'a Tree, prefix: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a Entry)> {
    let entries = tree.iter_from(prefix).take_while(move |(key, _)| key.starts_with(prefix));
    let strings = entries.filter(|(_, entry)| matches!(entry.value, Value::String(_)));
    strings.map(|(key, entry)| (key.as_slice(), &**entry))
}

fn entries_json(all: &All, prefix: &[u8], question: &Question) -> Option<Response> {
    let shape = |(key, entry)| Shape::of(key, entry, Beside::listed(key, entry, &all.system));
    let shapes: Vec<Shape> = strings(&all.keys, prefix).map(shape).collect();
    (!shapes.is_empty()).then(|| json(question.pretty, &shapes))
}

fn keys_json(tree: &Tree, prefix: &[u8], question: &Question) -> Option<Response> {
    let separator = question.query.bytes("separator").or_else(|| question.query.bytes("seperator"));
    let separator = separator.filter(|separator| !separator.is_empty());
    let mut keys: Vec<String> = strings(tree, prefix)
        .map(|(key, _)| String::from_utf8_lossy(level(key, prefix.len(), separator)).into_owned())
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
