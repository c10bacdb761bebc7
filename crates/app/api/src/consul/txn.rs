//! `PUT /v1/txn`: several verbs on keys and on what is registered, all of them in one commit or none. `core/session` has
//! the rules.

use adsum_catalog::register::operation;
use adsum_session::txn::{self, Failure, Found, OPERATIONS, Operation, Outcome, Step, Verb};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::{Request, StatusCode};
use serde::Serialize;
use serde_json::Value;

use self::registered::on_registered;
use super::answer::{Refusal, json};
use super::commit::commit;
use super::entry::{Check, Node, Service};
use super::found;
use super::given::{self, Given, base64_bytes};
use super::kv::Shape;
use super::question::check_datacenter;
use crate::query::Query;
use crate::{ApiState, limits};

mod registered;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    results: Option<Vec<Done<'a>>>,
    errors: Option<Vec<Wrong>>,
}

#[derive(Serialize)]
enum Done<'a> {
    #[serde(rename = "KV")]
    Key(Shape),
    Node(Node),
    Service(Box<Service<'a>>),
    Check(Box<Check<'a>>),
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
    let steps = match steps(list)? {
        Ok(steps) => steps,
        Err(failures) => return Ok(conflict(&query, failures)),
    };
    if let Some(reason) = state.store.refuses_growth().filter(|_| steps.iter().any(grows)) {
        return Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, &*reason));
    }
    Ok(match commit(&state, |tx| txn::run(tx, &steps)).await? {
        Ok(outcomes) => {
            let results = outcomes.iter().map(|outcome| done(&state, outcome)).collect();
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

fn done<'a>(state: &ApiState, outcome: &'a Outcome) -> Done<'a> {
    match outcome {
        Outcome::Key(found) => Done::Key(shape(found)),
        Outcome::Registered(operation::Found::Agent(node)) => {
            Done::Node(Node::own(state, &node.name, node.address))
        }
        Outcome::Registered(operation::Found::Node(node)) => Done::Node(Node::external(state, node)),
        Outcome::Registered(operation::Found::Service(service)) => {
            Done::Service(Box::new(Service::of(&found::Found::Registered(service))))
        }
        Outcome::Registered(operation::Found::Check(check, service)) => {
            Done::Check(Box::new(Check::told(check, service.as_ref())))
        }
    }
}

fn shape(found: &Found) -> Shape {
    match &found.entry {
        None => Shape::missing(&found.key),
        Some(entry) if found.with_value => Shape::of(&found.key, entry, found.beside.clone()),
        Some(entry) => Shape::without_value(&found.key, entry, found.beside.clone()),
    }
}

fn grows(step: &Step) -> bool {
    match step {
        Step::Key(operation) => matches!(operation.verb, Verb::Set | Verb::Cas(_) | Verb::Lock(_)),
        Step::Registered(operation) => {
            matches!(operation.verb, operation::Verb::Set | operation::Verb::Cas(_))
        }
    }
}

/// What each is, or which of them are nothing that can be done.
fn steps(list: Vec<Value>) -> Result<Result<Vec<Step>, Vec<Failure>>, Refusal> {
    let (mut steps, mut failures) = (Vec::new(), Vec::new());
    for (number, value) in list.into_iter().enumerate() {
        match step(&Given::of(Some(value))?)? {
            Ok(step) => steps.push(step),
            Err(what) => failures.push(Failure { operation: number, what }),
        }
    }
    Ok(if failures.is_empty() { Ok(steps) } else { Err(failures) })
}

fn step(given: &Given) -> Result<Result<Step, String>, Refusal> {
    if let Some(kv) = given.object("KV")? {
        return Ok(on_key(&kv)?.map(Step::Key));
    }
    if let Some(session) = given.object("Session")? {
        return Ok(on_session(&session)?.map(Step::Key));
    }
    if let Some(operation) = on_registered(given)? {
        return Ok(operation.map(Step::Registered));
    }
    let named = if given.field("Intention").is_some() { "Intention" } else { "nothing known" };
    let known = "KV, Node, Service, Check and Session are";
    Ok(Err(format!("operations on {named} are not taken here: {known}")))
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
