//! `/v1/operator` and `/v1/coordinate`: the answers of a datacenter with one server that is well, which is what one agent
//! is. What would change them is not here.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::agent::CONSUL;
use super::answer::{self, Refusal};
use super::entry::{Node, node_id};
use super::found::Found;
use crate::ApiState;
use crate::query::Query;

pub(crate) async fn raft_configuration(State(state): State<ApiState>, query: Query) -> Response {
    let server = json!({
        "ID": id(&state), "Node": state.about.node, "Address": address(&state), "Leader": true,
        "ProtocolVersion": "3", "Voter": true,
    });
    answer::json(query.asks("pretty"), &json!({"Servers": [server], "Index": 0}))
}

pub(crate) async fn autopilot_health(
    State(state): State<ApiState>,
    query: Query,
) -> Result<Response, Refusal> {
    let revision = state.store.catalog().await?.revision();
    let server = json!({
        "ID": id(&state), "Name": state.about.node, "Address": address(&state), "SerfStatus": "alive",
        "Version": CONSUL, "Leader": true, "LastContact": "0s", "LastTerm": 1,
        "LastIndex": revision.0, "Healthy": true, "Voter": true,
    });
    let health = json!({"Healthy": true, "FailureTolerance": 0, "Servers": [server]});
    Ok(answer::json(query.asks("pretty"), &health))
}

pub(crate) async fn autopilot_configuration(query: Query) -> Response {
    let configuration = json!({
        "CleanupDeadServers": true, "LastContactThreshold": "200ms", "MaxTrailingLogs": 250, "MinQuorum": 0,
        "ServerStabilizationTime": "10s", "RedundancyZoneTag": "", "DisableUpgradeMigration": false,
        "UpgradeVersionTag": "", "CreateIndex": 1, "ModifyIndex": 1,
    });
    answer::json(query.asks("pretty"), &configuration)
}

pub(crate) async fn autopilot_state(
    State(state): State<ApiState>,
    query: Query,
) -> Result<Response, Refusal> {
    let revision = state.store.catalog().await?.revision();
    let id = id(&state);
    let server = json!({
        "ID": id, "Name": state.about.node, "Address": address(&state), "NodeStatus": "alive",
        "Version": CONSUL, "LastContact": "0s", "LastTerm": 1, "LastIndex": revision.0,
        "Healthy": true, "Status": "leader", "Meta": {"consul-network-segment": ""}, "NodeType": "voter",
    });
    let told = json!({
        "Healthy": true, "FailureTolerance": 0, "OptimisticFailureTolerance": 0, "Servers": {&id: server},
        "Leader": id, "Voters": [id],
    });
    Ok(answer::json(query.asks("pretty"), &told))
}

/// How much is in the catalog.
pub(crate) async fn usage(State(state): State<ApiState>, query: Query) -> Result<Response, Refusal> {
    let catalog = state.store.catalog().await?;
    let names: BTreeSet<String> = Found::all(&catalog).map(|found| found.name().to_lowercase()).collect();
    let usage = json!({
        "Nodes": Node::all(&state, &catalog).len(), "Services": names.len(),
        "ServiceInstances": Found::all(&catalog).count(), "ConnectServiceInstances": {},
        "BillableServiceInstances": Found::all(&catalog).count(),
    });
    let told = json!({
        "Usage": {&state.about.datacenter: usage}, "Index": catalog.revision().0, "LastContact": 0,
        "KnownLeader": true, "ConsistencyLevel": "leader", "NotModified": false, "Backend": 0,
        "ResultsFilteredByACLs": false,
    });
    Ok(answer::at(catalog.revision(), Some("leader"), answer::json(query.asks("pretty"), &told)))
}

/// There is no gossip between agents, and so nothing that a key would encrypt.
pub(crate) async fn keyring(State(state): State<ApiState>) -> Refusal {
    Refusal::failed(format!("{}: Keyring is empty (encryption not enabled)", state.about.node))
}

/// One node is as far from itself as it gets.
pub(crate) async fn coordinate_datacenters(State(state): State<ApiState>, query: Query) -> Response {
    let datacenter = json!({
        "Datacenter": state.about.datacenter, "AreaID": "wan",
        "Coordinates": [{"Node": state.about.node, "Segment": "", "Coord": coordinate()}],
    });
    answer::json(query.asks("pretty"), &[datacenter])
}

pub(crate) async fn coordinate_nodes(State(state): State<ApiState>, query: Query) -> Response {
    answer::json(query.asks("pretty"), &[own_coordinate(&state)])
}

pub(crate) async fn coordinate_node(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    if name != state.about.node.as_str() {
        return Err(Refusal::new(hyper::StatusCode::NOT_FOUND, ""));
    }
    Ok(answer::json(query.asks("pretty"), &[own_coordinate(&state)]))
}

fn own_coordinate(state: &ApiState) -> Value {
    json!({"Node": state.about.node, "Segment": "", "Coord": coordinate()})
}

/// Where a node is that has measured no distance yet.
pub(super) fn coordinate() -> Value {
    json!({"Vec": [0, 0, 0, 0, 0, 0, 0, 0], "Error": 1.5, "Adjustment": 0, "Height": 1e-5})
}

fn id(state: &ApiState) -> String {
    node_id(state, &state.about.node)
}

fn address(state: &ApiState) -> String {
    state.about.faces.http.map_or_else(String::new, |address| address.to_string())
}
