//! `/api/switches`: dead man's switches, by key.

use adsum_keyspace::json::put_bytes;
use adsum_keyspace::switch::{self, Action};
use adsum_keyspace::{Database, Entry, Notice, Transaction, Value, limits as keyspace};
use adsum_model::Name;
use adsum_stack::Problem;
use axum::extract::State;
use axum::response::Response;
use hyper::{StatusCode, Uri};
use serde_json::{Value as Json, json as object};

use super::Refusal;
use super::answer::json;
use super::change::Object;
use super::watch::database;
use super::write::{Answer, Write};
use crate::query::Query;
use crate::{ApiState, percent};

/// What a switch can do, as JSON names it.
const VERBS: [&str; 3] = ["event", "webhook", "restart"];

/// All of them, or those of `?db=`.
pub(crate) async fn list(State(state): State<ApiState>, query: Query) -> Result<Response, Refusal> {
    let only = if query.has("db") { Some(database(&query)?) } else { None };
    let found = state.store.try_commit(|tx| all(tx, only)).await?;
    Ok(json(StatusCode::OK, &found))
}

pub(crate) async fn get(State(state): State<ApiState>, query: Query, uri: Uri) -> Result<Response, Refusal> {
    let at = At::of(&query, &uri)?;
    let found = state.store.try_commit(|tx| at.read(tx)).await?;
    found.map(|shape| json(StatusCode::OK, &shape)).ok_or_else(|| at.missing())
}

/// `{"event": "text"}`, `{"webhook": "http://..."}` or `{"restart": "service"}`.
pub(crate) async fn put(
    State(state): State<ApiState>,
    query: Query,
    uri: Uri,
    write: Write,
) -> Result<Response, Refusal> {
    let at = At::of(&query, &uri)?;
    let action = action(&write.json()?).map_err(|problem| Refusal::of_problems(&[problem]))?;
    write
        .carry_out(&state.store, |tx| {
            let there = at.read(tx).is_some();
            let value = Value::String(action.to_string().into());
            tx.put(Database::System, at.switch.clone(), value, None, &[Notice::Set]);
            let status = if there { StatusCode::OK } else { StatusCode::CREATED };
            Ok(Answer::new(status, &at.read(tx)))
        })
        .await
}

pub(crate) async fn delete(
    State(state): State<ApiState>,
    query: Query,
    uri: Uri,
    write: Write,
) -> Result<Response, Refusal> {
    let at = At::of(&query, &uri)?;
    write
        .carry_out(&state.store, |tx| {
            let was = at.read(tx).ok_or_else(|| at.missing())?;
            tx.delete(Database::System, &at.switch, Notice::Del);
            Ok(Answer::new(StatusCode::OK, &was))
        })
        .await
}

/// A switch by its place.
struct At {
    key: Vec<u8>,
    switch: adsum_keyspace::Blob,
}

impl At {
    /// The key is what stands behind `/api/switches/`, percent-decoded once.
    fn of(query: &Query, uri: &Uri) -> Result<At, Refusal> {
        let rest = uri.path().strip_prefix("/api/switches/").unwrap_or_default();
        let key = percent::decode(rest).filter(|key| (1..=keyspace::KEY).contains(&key.len()));
        let advice = format!("give 1 to {} bytes, percent-encoded, a / too", keyspace::KEY);
        let key = key.ok_or_else(|| Refusal::bad(format!("'{rest}' is no key: {advice}")))?;
        let switch = switch::key_of(database(query)?, &key);
        Ok(At { switch: switch.ok_or_else(|| Refusal::bad("no key of this database has a switch"))?, key })
    }

    fn read(&self, tx: &mut Transaction<'_>) -> Option<Object> {
        tx.get(Database::System, &self.switch).and_then(|entry| shape(&self.switch, entry))
    }

    fn missing(&self) -> Refusal {
        let text = format!("key '{}' has no switch: GET /api/switches lists them", self.key.escape_ascii());
        Refusal::new(StatusCode::NOT_FOUND, text)
    }
}

fn all(tx: &mut Transaction<'_>, only: Option<Database>) -> Vec<Object> {
    let begin = switch::all();
    let records = tx.keys_under(Database::System, begin).iter_from(begin);
    let records = records.take_while(|(key, _)| key.starts_with(begin));
    let of = |key: &[u8]| switch::place_of(key).map(|(database, _)| database);
    let records = records.filter(|(key, _)| only.is_none() || of(key) == only);
    records.filter_map(|(key, entry)| shape(key, entry)).collect()
}

fn shape(switch: &[u8], entry: &Entry) -> Option<Object> {
    let ((Database::User(number), key), Value::String(words)) = (switch::place_of(switch)?, &entry.value)
    else {
        return None;
    };
    let mut data = Object::new();
    data.insert("db".to_string(), number.into());
    put_bytes(&mut data, "key", &key);
    let words = String::from_utf8_lossy(words);
    let (verb, operand) = words.split_once(' ').unwrap_or((&words, ""));
    data.insert(verb.to_string(), operand.into());
    Some(data)
}

fn action(body: &Json) -> Result<Action, Problem> {
    let given = || VERBS.iter().filter_map(|verb| Some((*verb, body.get(verb)?)));
    let advice = "names no action: write it like {\"event\": \"web is silent\"}, {\"webhook\": \"http://host/path\"} or \
                  {\"restart\": \"web\"}";
    let (Some((verb, operand)), 1) = (given().next(), given().count()) else {
        return Err(Problem::new("body", body, advice));
    };
    let text = operand.as_str().ok_or_else(|| Problem::new(verb, operand, "is no text"))?;
    let problem = |advice: String| Problem::new(verb, object!(text), advice);
    if text.len() > crate::limits::SWITCH {
        return Err(problem(format!("has more than {} bytes", crate::limits::SWITCH)));
    }
    let action = Action::of(verb, text).map_err(|error| problem(error.to_string()))?;
    match &action {
        Action::Webhook(url) if !is_address(url) => {
            Err(problem("is no address: write it like http://host:port/path".into()))
        }
        Action::Restart(service) => match service.parse::<Name>() {
            Ok(_) => Ok(action),
            Err(error) => Err(problem(format!("is no name of a service: {error}"))),
        },
        Action::Webhook(_) | Action::Event(_) => Ok(action),
    }
}

fn is_address(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty()))
}
