//! `GET /api/events`: what happened, as a list or as a stream that goes on.

use adsum_catalog::Catalog;
use adsum_catalog::records::{self, Subject};
use adsum_keyspace::{Change, Commit, Database, Entry, Op, Space};
use adsum_model::{Event, Name, Revision};
use axum::extract::State;
use axum::response::Response;
use hyper::header::ACCEPT;
use hyper::{HeaderMap, StatusCode};

use super::answer::json;
use super::event::{Id, Shape};
use super::follow::Follow;
use super::{Refusal, sse};
use crate::closing::Closing;
use crate::query::Query;
use crate::{ApiState, limits};

/// Entries in an answer that does not say how many.
const DEFAULT: usize = 100;

/// Which entries are meant.
struct Question {
    /// Those after it, from the oldest on; without it, the newest.
    after: Option<Id>,
    limit: usize,
    service: Option<Name>,
}

/// `?after=ID&limit=N&service=NAME`; with `?follow` or `Accept: text/event-stream` as a stream that goes on. A stream
/// that was cut goes on after the `Last-Event-ID`.
pub(crate) async fn get(
    State(state): State<ApiState>,
    query: Query,
    headers: HeaderMap,
    closing: Closing,
) -> Result<Response, Refusal> {
    let mut question = Question::of(&query, &headers)?;
    let follow = query.asks("follow") || accepts_stream(&headers);
    if follow && question.after.is_some() {
        // A stream that leaves a part of the past out would have a gap.
        question.limit = usize::MAX;
    }
    let catalog = state.store.catalog().await?;
    let found = question.find(&catalog);
    if !follow {
        let shapes: Vec<Shape<'_>> = found.iter().map(|(id, event)| Shape::of(*id, event)).collect();
        return Ok(json(StatusCode::OK, &shapes));
    }
    // Answered at once, so that the client knows that it is listening.
    let first = std::iter::once(sse::HEARTBEAT.to_string());
    let first = first.chain(found.iter().map(|(id, event)| message(*id, event))).collect();
    let service = question.service;
    let messages = move |commit: &Commit| messages(commit, service.as_ref());
    Ok(Follow { space: Space::System, after: catalog.revision(), first, messages }.response(&state, closing))
}

pub(crate) fn accepts_stream(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/event-stream"))
}

/// Where a stream that was cut goes on, or what the query says.
pub(crate) fn last_id(query: &Query, name: &str, headers: &HeaderMap) -> Result<Option<Id>, Refusal> {
    let again = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_string);
    let Some(text) = again.or_else(|| query.text(name)) else { return Ok(None) };
    let wrong = |_| Refusal::bad(format!("{name} '{text}' is no id of an event: write it like 17-1 or 17"));
    text.parse().map(Some).map_err(wrong)
}

/// How many are asked for.
pub(crate) fn limit(query: &Query) -> Result<usize, Refusal> {
    let Some(text) = query.text("limit") else { return Ok(DEFAULT) };
    let fitting = text.parse().ok().filter(|limit| *limit <= limits::EVENTS);
    let advice = format!("limit '{text}' is not taken: give a number up to {}", limits::EVENTS);
    fitting.ok_or_else(|| Refusal::bad(advice))
}

impl Question {
    fn of(query: &Query, headers: &HeaderMap) -> Result<Question, Refusal> {
        let service = query.text("service").map(|text| {
            text.parse().map_err(|error| Refusal::bad(format!("service '{text}' is no name: {error}")))
        });
        Ok(Question {
            after: last_id(query, "after", headers)?,
            limit: limit(query)?,
            service: service.transpose()?,
        })
    }

    fn find<'a>(&self, catalog: &'a Catalog) -> Vec<(Id, &'a Event)> {
        let events = catalog.events().filter_map(|(id, event)| Some((id.parse::<Id>().ok()?, &**event)));
        let events = events.filter(|(_, event)| is_of(event, self.service.as_ref()));
        match self.after {
            Some(after) => events.filter(|(id, _)| *id > after).take(self.limit).collect(),
            None => {
                let mut newest: Vec<_> = events.collect();
                newest.drain(..newest.len().saturating_sub(self.limit));
                newest
            }
        }
    }
}

fn is_of(event: &Event, service: Option<&Name>) -> bool {
    service.is_none_or(|name| event.service.as_ref() == Some(name))
}

fn message(id: Id, event: &Event) -> String {
    sse::message(None, Some(&id.to_string()), &Shape::of(id, event))
}

fn messages(commit: &Commit, service: Option<&Name>) -> String {
    let changes = commit.changes.iter().filter(|change| change.database == Database::System);
    let events = changes.filter_map(|change| written(change, commit.revision));
    let events = events.filter(|(_, event)| is_of(event, service));
    events.map(|(id, event)| message(id, &event)).collect()
}

/// The entry of the log that a change has written.
fn written(change: &Change, revision: Revision) -> Option<(Id, Event)> {
    let (Subject::Event(id), Op::Put { value, deadline, .. }) = (Subject::of(&change.key), &change.op) else {
        return None;
    };
    let entry = Entry { value: value.clone(), created: revision, modified: revision, deadline: *deadline };
    Some((id.parse().ok()?, records::decode(&entry)))
}
