//! What all reads take: blocking, consistency, data centre, a filter, looks.

use adsum_filter::Shape;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::answer::Refusal;
use super::entry::Node;
use super::filter::Choice;
use crate::ApiState;
use crate::blocking::Blocking;
use crate::query::Query;

/// `?index&wait`, `?stale`, `?consistent`, `?dc`, `?pretty`, and the rest of the query.
pub(crate) struct Question {
    pub(crate) blocking: Blocking,
    /// Take the view as it stands.
    pub(crate) stale: bool,
    consistent: bool,
    pub(crate) pretty: bool,
    pub(crate) query: Query,
}

impl FromRequestParts<ApiState> for Question {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Question, Refusal> {
        let Ok(query) = Query::from_request_parts(parts, state).await;
        let blocking = Blocking::of(&query)?;
        let (stale, consistent) = (query.asks("stale"), query.asks("consistent"));
        if stale && consistent {
            return Err(Refusal::bad("Cannot specify ?stale with ?consistent, conflicting semantics."));
        }
        check_datacenter(&query, &state.about.datacenter)?;
        Ok(Question { blocking, stale, consistent, pretty: query.asks("pretty"), query })
    }
}

pub(crate) fn check_datacenter(query: &Query, own: &str) -> Result<(), Refusal> {
    match query.text("dc") {
        Some(other) if other != own => Err(Refusal::failed("No path to datacenter")),
        _ => Ok(()),
    }
}

impl Question {
    pub(crate) fn consistency(&self) -> &'static str {
        match (self.stale, self.consistent) {
            (true, _) => "stale",
            (false, true) => "consistent",
            (false, false) => "leader",
        }
    }

    /// Which entries are wanted by `?filter=`.
    pub(super) fn choice(&self, shape: &'static Shape) -> Result<Choice, Refusal> {
        Choice::of(&self.query, shape)
    }

    /// Whether nodes are chosen by `?node-meta=key:value`.
    pub(crate) fn asks_for_nodes(&self) -> bool {
        self.query.all("node-meta").iter().any(|pair| !pair.is_empty())
    }

    /// Whether a node is meant; several pairs are wanted together.
    pub(crate) fn takes_node(&self, node: &Node) -> bool {
        let has = |pair: &String| {
            let (key, value) = pair.split_once(':').unwrap_or((pair, ""));
            node.meta.as_ref().is_some_and(|meta| meta.get(key).is_some_and(|own| own == value))
        };
        self.query.all("node-meta").iter().all(|pair| pair.is_empty() || has(pair))
    }

    /// Whether something with these tags is meant; several are wanted together.
    pub(crate) fn takes_tags(&self, tags: &[String]) -> bool {
        self.query
            .all("tag")
            .iter()
            .all(|tag| tag.is_empty() || tags.iter().any(|own| own.eq_ignore_ascii_case(tag)))
    }
}
