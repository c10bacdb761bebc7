//! `PUT /v1/txn`: several verbs on keys, all of them in one commit or none. `core/session` has the rules.

use adsum_session::txn::{self, Failure, Found, OPERATIONS, Operation, Verb};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::{Request, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::answer::{Refusal, json};
use super::given::{self, Given, base64_bytes};
use super::kv::Shape;
use super::question::check_datacenter;
use crate::query::Query;
use crate::{ApiState, limits};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    results: Option<Vec<OfKey>>,
    errors: Option<Vec<Wrong>>,
}

#[derive(Serialize)]
struct OfKey {
    #[serde(rename = "KV")]
    kv: Shape,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Wrong {
    op_index: usize,
    what: String,
}

pub(crate) async fn put(
    State(state): State<ApiState>,
    query: Query,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    check_datacenter(&query, &state.about.datacenter)?;
    let body = given::value(request.into_body(), limits::KV_VALUE).await?;
    let list = match body {
        Some(Value::Array(list)) => list,
        _ => return Err(Refusal::bad("Failed to parse body: it is no list of operations")),
    };
    if list.len() > OPERATIONS {
        let text = format!("Transaction contains too many operations ({} > {OPERATIONS})", list.len());
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    let operations = match operations(list)? {
        Ok(operations) => operations,
        Err(failures) => return Ok(conflict(&query, failures)),
    };
    if let Some(reason) = state.store.refuses_growth().filter(|_| operations.iter().any(grows)) {
        return Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, &*reason));
    }
    Ok(match state.store.try_commit(|tx| txn::run(tx, &operations)).await? {
        Ok(found) => {
            let results = found.into_iter().map(|found| OfKey { kv: shape(found) }).collect();
            json(query.asks("pretty"), &Answer { results: Some(results), errors: None })
        }
        Err(failures) => conflict(&query, failures),
    })
}

fn conflict(query: &Query, failures: Vec<Failure>) -> Response {
    let wrong = |failure: Failure| Wrong { op_index: failure.operation, what: failure.what };
    let errors = failures.into_iter().map(wrong).collect();
    let answer = Answer { results: None, errors: Some(errors) };
    let mut response = json(query.asks("pretty"), &answer);
    *response.status_mut() = StatusCode::CONFLICT;
    response
}

fn shape(found: Found) -> Shape {
    match &found.entry {
        None => Shape::missing(&found.key),
        Some(entry) if found.with_value => Shape::of(&found.key, entry, found.beside),
        Some(entry) => Shape::without_value(&found.key, entry, found.beside),
    }
}

fn grows(operation: &Operation) -> bool {
    matches!(operation.verb, Verb::Set | Verb::Cas(_) | Verb::Lock(_))
}

/// What each is, or which have verbs that there are not.
fn operations(list: Vec<Value>) -> Result<Result<Vec<Operation>, Vec<Failure>>, Refusal> {
    let (mut operations, mut failures) = (Vec::new(), Vec::new());
    for (number, value) in list.into_iter().enumerate() {
        match operation(&Given::of(Some(value))?)? {
            Ok(operation) => operations.push(operation),
            Err(what) => failures.push(Failure { operation: number, what }),
        }
    }
    Ok(if failures.is_empty() { Ok(operations) } else { Err(failures) })
}

fn operation(given: &Given) -> Result<Result<Operation, String>, Refusal> {
    if let Some(kv) = given.object("KV")? {
        return on_key(&kv);
    }
    if let Some(session) = given.object("Session")? {
        return on_session(&session);
    }
    let other = ["Node", "Service", "Check", "Intention"];
    let named = other.into_iter().find(|name| given.field(name).is_some()).unwrap_or("nothing known");
    Ok(Err(format!("operations on {named} are not taken here: KV and Session are")))
}

fn on_key(kv: &Given) -> Result<Result<Operation, String>, Refusal> {
    let value = kv.text("Value")?;
    let Some(value) = base64_bytes(&value) else {
        return Err(Refusal::bad("Failed to parse body: a Value is no base64"));
    };
    let (verb, index, session) = (kv.text("Verb")?, kv.number("Index")?, kv.text("Session")?);
    let verb = match verb.as_str() {
        "set" => Verb::Set,
        "cas" => Verb::Cas(index),
        "lock" => Verb::Lock(session),
        "unlock" => Verb::Unlock(session),
        "get" => Verb::Get,
        "get-or-empty" => Verb::GetOrEmpty,
        "get-tree" => Verb::GetTree,
        "check-index" => Verb::CheckIndex(index),
        "check-session" => Verb::CheckSession(session),
        "check-not-exists" => Verb::CheckNotExists,
        "delete" => Verb::Delete,
        "delete-cas" => Verb::DeleteCas(index),
        "delete-tree" => Verb::DeleteTree,
        _ => return Ok(Err(format!("unknown KV verb {verb:?}"))),
    };
    let key = kv.text("Key")?.into_bytes();
    if key.len() > limits::KV_KEY {
        return Ok(Err(format!("the key has {} bytes, more than {}", key.len(), limits::KV_KEY)));
    }
    Ok(Ok(Operation { verb, key, value, flags: kv.number("Flags")? }))
}

fn on_session(session: &Given) -> Result<Result<Operation, String>, Refusal> {
    let verb = session.text("Verb")?;
    if verb != "delete" {
        return Ok(Err(format!("unknown Session verb {verb:?}")));
    }
    let key = session.object("Session")?.unwrap_or_default().text("ID")?.into_bytes();
    Ok(Ok(Operation { verb: Verb::EndSession, key, value: Vec::new(), flags: 0 }))
}
