//! `/v1/event`: words for whoever listens. The last of them are kept in the system space, the oldest first:
//!
//! ```text
//! user-event/00000000000000000002    the second that was fired since the beginning
//! ```
//!
//! An event that is meant for other nodes, or for nodes with a service that this one has not, is not kept here.

use adsum_catalog::{Catalog, records};
use adsum_keyspace::json::base64;
use adsum_keyspace::{Database, Keys as Tree, Notice, Transaction, Value};
use adsum_model::Revision;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::{Request, StatusCode};
use regex_lite::Regex;
use serde::{Deserialize, Serialize};

use super::answer::{Refusal, at, json};
use super::given;
use super::question::{Question, check_datacenter};
use crate::changes::Keys;
use crate::closing::Closing;
use crate::query::Query;
use crate::{ApiState, limits};

const EVENTS: &[u8] = b"user-event/";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    #[serde(rename = "ID")]
    id: String,
    name: String,
    /// Base64; none when empty.
    payload: Option<String>,
    node_filter: String,
    service_filter: String,
    tag_filter: String,
    version: u8,
    /// Its place among all.
    #[serde(rename = "LTime")]
    time: u64,
}

pub(crate) async fn no_name() -> Refusal {
    Refusal::bad("Missing name")
}

/// `PUT /v1/event/fire/NAME`, with `?node=`, `?service=` and `?tag=` as regular expressions.
pub(crate) async fn fire(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    query: Query,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    check_datacenter(&query, &state.about.datacenter)?;
    let payload = given::bytes(request.into_body(), limits::USER_EVENT).await?;
    if name.len() > limits::USER_EVENT {
        return Err(Refusal::bad(format!("the name has more than {} bytes", limits::USER_EVENT)));
    }
    let filter = |name| query.text(name).unwrap_or_default();
    let event = Event {
        id: given::id()?,
        name,
        payload: (!payload.is_empty()).then(|| base64(&payload)),
        node_filter: filter("node"),
        service_filter: filter("service"),
        tag_filter: filter("tag"),
        version: 1,
        time: 0,
    };
    let catalog = state.store.catalog().await?;
    if event.is_for(state.about.node.as_str(), &catalog)? {
        if let Some(reason) = state.store.refuses_growth() {
            return Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, &*reason));
        }
        state.store.try_commit(|tx| keep(tx, &event)).await?;
    }
    Ok(json(query.asks("pretty"), &event))
}

/// `GET /v1/event/list`; `?name=` chooses, `?index=` waits until the last one is another.
pub(crate) async fn list(
    State(state): State<ApiState>,
    question: Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let name = question.query.text("name");
    let keys = Keys::Under(Database::System, EVENTS.to_vec());
    loop {
        let (system, revision) =
            state.store.try_commit(|tx| (tx.keys(Database::System).clone(), tx.read_revision())).await?;
        let mut events: Vec<Event> = all(&system).map(|(_, event)| event).collect();
        drop(system);
        events.retain(|event| name.as_ref().is_none_or(|name| event.name == *name));
        let index = Revision(events.last().map_or(1, |event| index_of(&event.id)));
        let waits = question.blocking.index == Some(index);
        if !waits || !keys.changed(&state.store, revision, &question.blocking, &mut closing).await? {
            let mut response = json(question.pretty, &events);
            let headers = at(index, None, Response::default()).headers().clone();
            response.headers_mut().extend(headers);
            return Ok(response);
        }
    }
}

/// As the last of all, in place of the oldest when there are too many.
fn keep(tx: &mut Transaction<'_>, event: &Event) {
    let system = tx.keys_under(Database::System, EVENTS).clone();
    let last = all(&system).last().map_or(0, |(_, event)| event.time);
    let event = Event { time: last + 1, ..event.clone() };
    let too_many = (all(&system).count() + 1).saturating_sub(limits::USER_EVENTS);
    for (key, _) in all(&system).take(too_many) {
        tx.delete(Database::System, key, Notice::Del);
    }
    let key = [EVENTS, format!("{:020}", event.time).as_bytes()].concat();
    let record = serde_json::to_vec(&event).expect("an event has a JSON form");
    tx.put(Database::System, key, Value::String(record.into()), None, &[Notice::Set]);
}

fn all(system: &Tree) -> impl Iterator<Item = (&[u8], Event)> {
    let records = system.iter_from(EVENTS).take_while(|(key, _)| key.starts_with(EVENTS));
    records.map(|(key, entry)| (key.as_slice(), records::decode(entry)))
}

/// Of an id, its two halves one over the other: what Consul has for an index of events.
fn index_of(id: &str) -> u64 {
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).collect();
    let whole = u128::from_str_radix(&digits, 16).unwrap_or_default();
    (whole >> 64) as u64 ^ whole as u64
}

impl Event {
    /// Whether a node with what the catalog has of it is meant.
    fn is_for(&self, node: &str, catalog: &Catalog) -> Result<bool, Refusal> {
        if !self.tag_filter.is_empty() && self.service_filter.is_empty() {
            return Err(Refusal::failed("Cannot provide tag filter without service filter"));
        }
        let of_node = filter("node", &self.node_filter)?;
        let of_service = filter("service", &self.service_filter)?;
        let of_tag = filter("tag", &self.tag_filter)?;
        let takes =
            |filter: &Option<Regex>, text: &str| filter.as_ref().is_none_or(|filter| filter.is_match(text));
        let is_meant = |name: &str, tags: &[String]| {
            takes(&of_service, name) && (of_tag.is_none() || tags.iter().any(|tag| takes(&of_tag, tag)))
        };
        let runs = || {
            catalog.services().any(|(name, service)| {
                let tags = service.service.as_ref().map_or(&[][..], |service| &service.spec.tags);
                let is_here = service.live().any(|instance| instance.node.as_str() == node);
                is_here && is_meant(name.as_str(), tags)
            })
        };
        let registered = || {
            let mut here = catalog.registry().services_on(node);
            here.any(|service| is_meant(&service.service, &service.tags))
        };
        let has_service = of_service.is_none() || runs() || registered();
        Ok(takes(&of_node, node) && has_service)
    }
}

fn filter(what: &str, text: &str) -> Result<Option<Regex>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    Regex::new(text).map(Some).map_err(|error| Refusal::failed(format!("Invalid {what} filter: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_of_an_event_is_made_of_its_id() {
        assert_eq!(index_of("20e4b8b7-900c-b2bc-f21b-095bcdbd12ae"), 15_204_066_495_768_403_986);
    }
}
