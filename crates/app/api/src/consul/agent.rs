//! `GET /v1/agent/self`, `/v1/agent/members` and `/v1/agent/version`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{self, Refusal};
use super::entry::node_id;
use super::operator::coordinate;
use crate::ApiState;
use crate::query::Query;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Agent<'a> {
    config: Config<'a>,
    debug_config: BTreeMap<&'static str, Value>,
    coord: Value,
    member: Member<'a>,
    stats: Value,
    meta: Value,
}

/// The version of Consul whose API this is: some clients choose what they ask for by it, and refuse an old one.
pub(super) const CONSUL: &str = "1.21.0";

/// Who answers in truth.
fn revision(state: &ApiState) -> String {
    format!("adsum.{}", state.about.version)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Config<'a> {
    datacenter: &'a str,
    primary_datacenter: &'a str,
    node_name: &'a str,
    #[serde(rename = "NodeID")]
    node_id: &'a str,
    revision: String,
    server: bool,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Member<'a> {
    name: &'a str,
    addr: String,
    port: u16,
    tags: BTreeMap<&'static str, String>,
    /// Alive.
    status: u8,
    protocol_min: u8,
    protocol_max: u8,
    protocol_cur: u8,
    delegate_min: u8,
    delegate_max: u8,
    delegate_cur: u8,
}

pub(crate) async fn get(State(state): State<ApiState>, query: Query) -> Result<Response, Refusal> {
    let about = &state.about;
    let id = node_id(&state, &about.node);
    let agent = Agent {
        config: Config {
            datacenter: &about.datacenter,
            primary_datacenter: &about.datacenter,
            node_name: about.node.as_str(),
            node_id: &id,
            revision: revision(&state),
            server: true,
            version: CONSUL,
        },
        debug_config: BTreeMap::new(),
        coord: coordinate(),
        member: member(&state, &id),
        stats: stats(&state),
        meta: json!({"consul-network-segment": ""}),
    };
    Ok(answer::json(query.asks("pretty"), &agent))
}

/// The one that answers.
pub(crate) async fn members(State(state): State<ApiState>, query: Query) -> Response {
    let id = node_id(&state, &state.about.node);
    answer::json(query.asks("pretty"), &[member(&state, &id)])
}

pub(crate) async fn version(State(state): State<ApiState>, query: Query) -> Response {
    let version = json!({"SHA": "", "BuildDate": "", "HumanVersion": format!("{CONSUL}+{}", revision(&state)), "FIPS": ""});
    answer::json(query.asks("pretty"), &version)
}

fn member<'a>(state: &'a ApiState, id: &str) -> Member<'a> {
    let about = &state.about;
    let tags = [
        ("acls", "0".to_string()),
        ("build", format!("{CONSUL}:{}", revision(state))),
        ("dc", about.datacenter.clone()),
        ("id", id.to_string()),
        ("port", about.faces.http.map_or(0, |address| address.port()).to_string()),
        ("role", "consul".to_string()),
        ("segment", String::new()),
        ("vsn", "2".to_string()),
    ];
    Member {
        name: about.node.as_str(),
        addr: about.faces.http.map_or_else(String::new, |address| address.ip().to_string()),
        port: about.faces.http.map_or(0, |address| address.port()),
        tags: tags.into(),
        status: 1,
        protocol_min: 1,
        protocol_max: 5,
        protocol_cur: 2,
        delegate_min: 2,
        delegate_max: 5,
        delegate_cur: 4,
    }
}

/// Texts throughout, as Consul has them.
fn stats(state: &ApiState) -> Value {
    let services = state.store.directory().view().services().count().to_string();
    json!({
        "agent": {"services": services},
        "build": {"version": CONSUL, "revision": revision(state), "prerelease": ""},
        "consul": {"bootstrap": "true", "known_datacenters": "1", "leader": "true", "server": "true"},
    })
}
