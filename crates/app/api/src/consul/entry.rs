//! The shapes of nodes, services and checks.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use adsum_catalog::{Catalog, ServiceState};
use adsum_model::{CheckKind, Health, Instance, Name, Phase, print_duration};
use serde::Serialize;

use crate::ApiState;
use crate::fingerprint::fingerprint;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Node {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    pub(crate) node: String,
    pub(crate) address: String,
    pub(crate) datacenter: String,
    pub(crate) tagged_addresses: BTreeMap<&'static str, String>,
    pub(crate) meta: BTreeMap<&'static str, String>,
    create_index: u64,
    modify_index: u64,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Weights {
    passing: u32,
    warning: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Address {
    address: String,
    port: u16,
}

/// The meshes that Adsum has no part in.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Proxy {
    mode: &'static str,
    mesh_gateway: Nothing,
    expose: Nothing,
}

/// `{}`
#[derive(Clone, Copy, Default, Serialize)]
pub(crate) struct Nothing {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Service<'a> {
    #[serde(rename = "ID")]
    pub(crate) id: &'a str,
    service: &'a str,
    tags: &'a [String],
    address: String,
    tagged_addresses: BTreeMap<&'static str, Address>,
    meta: BTreeMap<&'static str, String>,
    port: u16,
    weights: Weights,
    enable_tag_override: bool,
    proxy: Proxy,
    connect: Nothing,
    create_index: u64,
    modify_index: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Check<'a> {
    pub(crate) node: &'a str,
    #[serde(rename = "CheckID")]
    pub(crate) id: String,
    name: String,
    pub(crate) status: &'static str,
    notes: &'static str,
    output: String,
    #[serde(rename = "ServiceID")]
    service_id: &'a str,
    service_name: &'a str,
    service_tags: &'a [String],
    r#type: &'static str,
    interval: String,
    timeout: String,
    exposed_port: u16,
    definition: Nothing,
    create_index: u64,
    modify_index: u64,
}

pub(crate) const WEIGHTS: Weights = Weights { passing: 1, warning: 1 };

/// The same for the same node of the same cluster, in the form of a UUID.
pub(crate) fn node_id(state: &ApiState, name: &Name) -> String {
    let cluster = state.store.cluster();
    let hex = format!("{:032x}", fingerprint(&[cluster.as_bytes(), name.as_str().as_bytes()]));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// An instance's node. One that has no record is where its instance is.
pub(crate) fn node_of(state: &ApiState, catalog: &Catalog, instance: &Instance) -> Node {
    let known = catalog.node(&instance.node);
    let address = known.map_or_else(|| instance.endpoint.ip(), |node| node.address);
    node(state, &instance.node, address)
}

pub(crate) fn node(state: &ApiState, name: &Name, address: IpAddr) -> Node {
    let text = address.to_string();
    let [lan, wan] = if address.is_ipv4() { ["lan_ipv4", "wan_ipv4"] } else { ["lan_ipv6", "wan_ipv6"] };
    Node {
        id: node_id(state, name),
        node: name.to_string(),
        address: text.clone(),
        datacenter: state.about.datacenter.clone(),
        tagged_addresses: ["lan", lan, "wan", wan].into_iter().map(|key| (key, text.clone())).collect(),
        meta: [("consul-network-segment", String::new())].into(),
        create_index: 1,
        modify_index: 1,
    }
}

pub(crate) fn tags(state: &ServiceState) -> &[String] {
    state.service.as_ref().map_or(&[], |service| &service.spec.tags)
}

pub(crate) fn tagged_addresses(endpoint: SocketAddr) -> BTreeMap<&'static str, Address> {
    let keys = if endpoint.is_ipv4() { ["lan_ipv4", "wan_ipv4"] } else { ["lan_ipv6", "wan_ipv6"] };
    keys.into_iter()
        .map(|key| (key, Address { address: endpoint.ip().to_string(), port: endpoint.port() }))
        .collect()
}

pub(crate) fn meta(instance: &Instance) -> BTreeMap<&'static str, String> {
    [("version", instance.version.to_string()), ("slot", instance.slot.to_string())].into()
}

impl<'a> Service<'a> {
    pub(crate) fn of(state: &'a ServiceState, instance: &'a Instance) -> Service<'a> {
        Service {
            id: instance.id.as_str(),
            service: instance.service.as_str(),
            tags: tags(state),
            address: instance.endpoint.ip().to_string(),
            tagged_addresses: tagged_addresses(instance.endpoint),
            meta: meta(instance),
            port: instance.endpoint.port(),
            weights: WEIGHTS,
            enable_tag_override: false,
            proxy: Proxy::default(),
            connect: Nothing {},
            create_index: state.index.0,
            modify_index: state.index.0,
        }
    }
}

impl<'a> Check<'a> {
    /// That of a node, which is this process or one whose instances are known through it.
    pub(crate) fn of_node(node: &'a Name) -> Check<'a> {
        Check {
            node: node.as_str(),
            id: "serfHealth".to_string(),
            name: "Serf Health Status".to_string(),
            status: "passing",
            notes: "",
            output: "Agent alive and reachable".to_string(),
            service_id: "",
            service_name: "",
            service_tags: &[],
            r#type: "",
            interval: String::new(),
            timeout: String::new(),
            exposed_port: 0,
            definition: Nothing {},
            create_index: 1,
            modify_index: 1,
        }
    }

    pub(crate) fn of_instance(state: &'a ServiceState, instance: &'a Instance) -> Check<'a> {
        let check = state.service.as_ref().map(|service| &service.spec.check);
        let print = |duration| print_duration(duration);
        Check {
            node: instance.node.as_str(),
            id: format!("service:{}", instance.id),
            name: format!("Service '{}' check", instance.service),
            status: status(instance),
            notes: "",
            output: output(instance),
            service_id: instance.id.as_str(),
            service_name: instance.service.as_str(),
            service_tags: tags(state),
            r#type: check.map_or("", |check| kind(&check.kind)),
            interval: check.map_or_else(String::new, |check| print(check.interval)),
            timeout: check.map_or_else(String::new, |check| print(check.timeout)),
            exposed_port: 0,
            definition: Nothing {},
            create_index: state.index.0,
            modify_index: state.index.0,
        }
    }
}

/// Consul knows three; what is not to be used is critical.
fn status(instance: &Instance) -> &'static str {
    match (instance.phase, instance.health) {
        (Phase::Running, Health::Passing) => "passing",
        (Phase::Running, Health::Warning) => "warning",
        (Phase::Running, Health::Starting | Health::Critical | Health::Draining | Health::Maintenance)
        | (
            Phase::Planned
            | Phase::Backoff
            | Phase::Stopping
            | Phase::Stopped
            | Phase::Complete
            | Phase::Failed,
            _,
        ) => "critical",
    }
}

fn output(instance: &Instance) -> String {
    let reason = instance.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    format!("{}, {}{reason}", instance.phase.as_str(), instance.health)
}

/// The word that Consul has for it.
fn kind(kind: &CheckKind) -> &'static str {
    match kind {
        CheckKind::Http { .. } => "http",
        CheckKind::Tcp => "tcp",
        CheckKind::Command { .. } => "script",
        CheckKind::Process => "os_service",
    }
}
