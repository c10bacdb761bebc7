//! What one agent has no part in, in the words that Consul has for it: other members, ACLs, Connect, coordinates.
//!
//! Nothing here pretends: what is not done is refused.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;

use super::answer::Refusal;
use super::question::check_datacenter;
use crate::ApiState;
use crate::query::Query;

/// `PUT /v1/agent/join/ADDRESS`. That it has joined itself is true of every agent.
pub(crate) async fn join(
    State(state): State<ApiState>,
    Path(other): Path<String>,
) -> Result<Response, Refusal> {
    let own = state.about.faces.http.map(|address| [address.to_string(), address.ip().to_string()]);
    if own.is_some_and(|own| own.contains(&other)) {
        return Ok(StatusCode::OK.into_response());
    }
    let text = "this agent is a datacenter of its own and joins no other";
    Err(Refusal::failed(format!("1 error occurred:\n\t* Failed to join {other}: {text}\n\n")))
}

pub(crate) async fn leave() -> Refusal {
    Refusal::failed("this agent is the only one of its datacenter: end it with SIGTERM")
}

pub(crate) async fn force_leave(State(state): State<ApiState>, Path(node): Path<String>) -> Refusal {
    if node == state.about.node.as_str() {
        return leave().await;
    }
    Refusal::failed(format!("agent: No node found with name '{node}'"))
}

pub(crate) async fn reload() -> Refusal {
    Refusal::failed(
        "this agent reads its configuration when it starts: let a new one take over with 'adsum agent --takeover'",
    )
}

/// `/v1/acl/...` and `/v1/agent/token/...`.
pub(crate) async fn acl() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "ACL support disabled")
}

/// `/v1/connect/ca/...` and `/v1/agent/connect/...`.
pub(crate) async fn connect() -> Refusal {
    Refusal::failed("Connect must be enabled in order to use this endpoint")
}

/// `PUT /v1/coordinate/update`: nobody measures here, so nothing that is told would be kept.
pub(crate) async fn coordinates() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "Coordinate support disabled")
}

/// `DELETE /v1/operator/raft/peer`, of which there is one.
pub(crate) async fn raft_peer(State(state): State<ApiState>, query: Query) -> Result<Response, Refusal> {
    check_datacenter(&query, &state.about.datacenter)?;
    let own = state.about.faces.http.map(|address| address.to_string());
    let own_id = super::entry::node_id(&state, &state.about.node);
    let absent = |what, value| format!("{what} {value:?} was not found in the Raft configuration");
    let text = match (query.text("id"), query.text("address")) {
        (None, None) => {
            let text =
                "Must specify either ?id with the server's ID or ?address with IP:port of peer to remove";
            return Err(Refusal::bad(text));
        }
        (Some(_), Some(_)) => return Err(Refusal::bad("Must specify only one of ?id or ?address")),
        (Some(id), None) if id != own_id => absent("id", id),
        (None, Some(address)) if Some(&address) != own.as_ref() => absent("address", address),
        _ => "need at least one voter in configuration: this is the only server".to_string(),
    };
    Err(Refusal::failed(text))
}

/// `POST /v1/operator/raft/transfer-leader`.
pub(crate) async fn transfer_leader() -> Refusal {
    Refusal::failed("cannot find peer: this is the only server")
}

pub(crate) async fn no_node() -> Refusal {
    Refusal::bad("Missing node name")
}

pub(crate) async fn no_state() -> Refusal {
    Refusal::bad("Missing check state")
}
